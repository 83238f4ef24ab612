/**
 * One stream out of many encoders: each change of the picture starts another encoder, and what they give becomes one
 * stream with one time line, in which a new sequence header says that the pictures have changed.
 */
import { contentOf, flvTag, metadataTag, TAG } from './flv.js';

/** Messages that wait for the next picture; more come only when no picture is sent. */
const MAX_MESSAGES = 16;

/** @typedef {'video' | 'audio'} Kind */

/**
 * @typedef {object} JoinedTag
 * @property {Buffer} bytes the whole tag
 * @property {boolean} config a sequence header, which must not be left out
 * @property {boolean} keyframe
 * @property {number} timestamp milliseconds since the stream began
 */

/** What one kind needs. */
class Lane {
  /** The sequence header of the encoder that is at work, as the body of a tag. @type {Buffer | null} */
  config = null;
  /** Whether it has been sent. */
  sent = false;
  /** Whether frames have to wait for one that needs no other. */
  wantsKeyframe = true;
  lastTimestamp = -1;

  restart() {
    this.sent = false;
    this.wantsKeyframe = true;
    this.lastTimestamp = -1;
  }
}

/** Joins tags of encoders. Times are those of capture, in milliseconds on any one clock. */
export class Joiner {
  /** @type {Record<Kind, Lane>} */
  #lanes = { video: new Lane(), audio: new Lane() };
  /** The capture time that is sent as 0; null while nothing is sent. @type {number | null} */
  #epoch = null;
  /** @type {Buffer[]} */
  #messages = [];

  /** Whether the stream has begun. */
  get open() {
    return this.#epoch !== null;
  }

  /**
   * A connection is ready: the stream begins anew, at time 0.
   * @param {number} atMs
   * @param {Record<string, number | string | boolean>} metadata
   * @returns {Buffer} the tag to send first
   */
  begin(atMs, metadata) {
    this.#epoch = atMs;
    for (const lane of Object.values(this.#lanes)) lane.restart();
    return metadataTag(metadata);
  }

  /** The connection is gone. */
  end() {
    this.#epoch = null;
    this.#messages = [];
  }

  /**
   * A message for the next picture.
   * @param {Buffer} unit an SEI unit with its length prefix
   * @returns {boolean} false when too many wait already
   */
  message(unit) {
    if (this.#messages.length >= MAX_MESSAGES) return false;
    this.#messages.push(unit);
    return true;
  }

  /**
   * @param {Kind} kind
   * @param {Buffer} data the body of a tag
   * @param {number} atMs when it was captured
   * @returns {JoinedTag[]} the tags to send
   */
  push(kind, data, atMs) {
    const lane = this.#lanes[kind];
    const content = contentOf({ type: TAG[kind === 'video' ? 'VIDEO' : 'AUDIO'], data });
    if (content.part === 'config') {
      if (lane.config && lane.config.equals(data)) return [];
      lane.config = data;
      lane.sent = false;
      lane.wantsKeyframe = true;
      return [];
    }
    if (content.part !== 'frame' || this.#epoch === null || !lane.config) return [];
    if (kind === 'video' && lane.wantsKeyframe && !content.keyframe) return [];
    const timestamp = Math.round(atMs - this.#epoch);
    if (timestamp < 0) return [];
    lane.wantsKeyframe = false;
    return this.#tags(lane, kind, data, Math.max(timestamp, lane.lastTimestamp + 1), content.keyframe);
  }

  /** @param {Lane} lane @param {Kind} kind @param {Buffer} data @param {number} timestamp @param {boolean} keyframe */
  #tags(lane, kind, data, timestamp, keyframe) {
    const type = kind === 'video' ? TAG.VIDEO : TAG.AUDIO;
    /** @type {JoinedTag[]} */
    const out = [];
    if (!lane.sent && lane.config) {
      out.push({ bytes: flvTag(type, timestamp, lane.config), config: true, keyframe: false, timestamp });
    }
    lane.sent = true;
    lane.lastTimestamp = timestamp;
    const body = kind === 'video' ? this.#withMessages(data) : data;
    out.push({ bytes: flvTag(type, timestamp, body), config: false, keyframe, timestamp });
    return out;
  }

  /** @param {Buffer} data */
  #withMessages(data) {
    if (this.#messages.length === 0) return data;
    const units = this.#messages;
    this.#messages = [];
    return Buffer.concat([data.subarray(0, 5), ...units, data.subarray(5)]);
  }
}
