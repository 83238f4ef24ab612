import { ffmpegLine, ffplayLine, flvUrl, obsFields, rtmpUrl } from './commands.js';
import { copyOnClick } from './copy.js';
import { find } from './dom.js';

/** The RTMP side of the room: lines that are ready to paste. */
export class RtmpPanel {
  #fields;
  #server;
  #same = find('rtmp-same', HTMLParagraphElement);

  /**
   * @param {object} context
   * @param {import('./words.js').Words} context.words
   * @param {import('./fields.js').Fields} context.fields
   * @param {() => import('./commands.js').Server} context.server
   */
  constructor({ words, fields, server }) {
    this.#fields = fields;
    this.#server = server;
    fields.addEventListener('change', () => this.write());
    for (const button of document.querySelectorAll('button[data-copy]')) {
      if (!(button instanceof HTMLButtonElement)) continue;
      const source = find(button.dataset.copy ?? '', HTMLElement);
      copyOnClick(button, { words, name: 'copy.button', text: () => source.textContent ?? '', source });
    }
    this.write();
  }

  /** Writes every line for the names and the server as they are now. */
  write() {
    const server = this.#server();
    const send = this.#fields.address(this.#fields.rtmpUid);
    const play = this.#fields.address(this.#fields.uid);
    const obs = obsFields(server, send);
    const lines = {
      'ffmpeg-line': ffmpegLine(server, send),
      'obs-server': obs.server,
      'obs-key': obs.key,
      'rtmp-url': rtmpUrl(server, play),
      'ffplay-line': ffplayLine(server, play),
      'flv-url': flvUrl(server, play),
    };
    for (const [id, text] of Object.entries(lines)) find(id, HTMLElement).replaceChildren(...wordSpans(text));
    this.#same.hidden = send.uid !== play.uid;
  }
}

/**
 * Text with each word in an element of its own, so that a line never breaks at the hyphen of an option.
 *
 * @param {string} text
 * @returns {(HTMLSpanElement | string)[]}
 */
function wordSpans(text) {
  return text.split(' ').flatMap((word, index) => {
    const span = document.createElement('span');
    span.textContent = word;
    return index === 0 ? [span] : [' ', span];
  });
}
