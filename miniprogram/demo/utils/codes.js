/** What the status codes of `live-pusher` and `live-player` mean. Other codes inform of nothing that has to be done. */

/** @type {Record<number, [zh: string, en: string]>} */
const CODES = {
  1001: ['已连接服务器', 'connected'],
  1002: ['开始推流', 'pushing'],
  1003: ['摄像头已打开', 'camera open'],
  1005: ['分辨率已调整', 'resolution adapted'],
  1006: ['码率已调整', 'bitrate adapted'],
  1007: ['采集到首帧', 'first frame captured'],
  1008: ['编码器已启动', 'encoder started'],
  1101: ['上行网络不佳', 'uplink too weak'],
  1102: ['推流断开，正在重连', 'push lost, trying again'],
  1103: ['硬编码失败，改用软编码', 'software encoder instead'],
  2001: ['已连接服务器', 'connected'],
  2002: ['开始拉流', 'playing begins'],
  2003: ['收到首个视频帧', 'first picture received'],
  2004: ['开始播放', 'playing'],
  2006: ['播放结束', 'playing ended'],
  2007: ['正在缓冲', 'buffering'],
  2008: ['解码器已启动', 'decoder started'],
  2009: ['分辨率变化', 'resolution changed'],
  2101: ['视频解码失败', 'video not decoded'],
  2102: ['音频解码失败', 'audio not decoded'],
  2103: ['拉流断开，正在重连', 'player lost, trying again'],
  2104: ['下行网络不稳', 'unstable arrival'],
  2105: ['播放卡顿', 'stutter'],
  2106: ['硬解码失败，改用软解码', 'software decoder instead'],
  3001: ['域名解析失败', 'host not resolved'],
  3002: ['连接失败', 'no connection'],
  3003: ['RTMP 握手失败', 'RTMP handshake failed'],
  3004: ['服务器关闭了连接', 'closed by the server'],
  3005: ['读写失败', 'read or write failed'],
  5000: ['小程序被挂起，推流停止', 'suspended, push stopped'],
  5001: ['被来电打断', 'interrupted by a call'],
  10001: ['未允许使用摄像头', 'camera not allowed'],
  10002: ['未允许使用麦克风', 'microphone not allowed'],
  10004: ['等待图加载失败', 'waiting image not loaded'],
  [-1301]: ['打开摄像头失败', 'camera not opened'],
  [-1302]: ['打开麦克风失败', 'microphone not opened'],
  [-1303]: ['视频编码失败', 'video not encoded'],
  [-1304]: ['音频编码失败', 'audio not encoded'],
  [-1307]: ['多次重连失败，推流停止', 'push given up'],
  [-2301]: ['多次重连失败，播放停止', 'player given up'],
};

/** Those after which a look at the permissions helps. */
const DEVICE_CODES = [10001, 10002, -1301, -1302];

/** @param {number} code @param {'zh' | 'en'} language @returns {string} empty if it is not known */
function codeText(code, language) {
  const texts = CODES[code];
  if (texts === undefined) return '';
  return texts[language === 'zh' ? 0 : 1];
}

/** @param {number | null} code @returns {boolean} whether camera or microphone could not be used */
function isDeviceCode(code) {
  return code !== null && DEVICE_CODES.includes(code);
}

module.exports = { codeText, isDeviceCode };
