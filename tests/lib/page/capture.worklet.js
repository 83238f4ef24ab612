/** Hands the sound that reaches it to the page, mixed to one channel, in blocks. */
const BLOCK = 1280;

class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.block = new Float32Array(BLOCK);
    this.filled = 0;
  }

  /** @param {Float32Array[][]} inputs */
  process(inputs) {
    const channels = inputs[0] ?? [];
    const length = channels[0]?.length ?? 128;
    for (let i = 0; i < length; i += 1) {
      let sum = 0;
      for (const channel of channels) sum += channel[i] ?? 0;
      this.block[this.filled] = channels.length > 0 ? sum / channels.length : 0;
      this.filled += 1;
      if (this.filled === BLOCK) this.#send(currentFrame + i + 1 - BLOCK);
    }
    return true;
  }

  /** @param {number} frame position of the block's first sample */
  #send(frame) {
    this.port.postMessage({ frame, samples: this.block }, [this.block.buffer]);
    this.block = new Float32Array(BLOCK);
    this.filled = 0;
  }
}

registerProcessor('capture', Capture);
