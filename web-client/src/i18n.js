/** The page's words in English and Chinese. Pure. `{name}` stands for a parameter. */

const en = {
  'page.title': 'Queqiao: RTMP and WebRTC in one room',
  'page.tagline': 'Mini-programs, encoders and browsers in one room',
  'page.language': 'Language',
  'page.version': 'Queqiao {version}',

  'room.title': 'Room',
  'room.app': 'App',
  'room.room': 'Room',
  'room.uid': 'Your uid',
  'room.token': 'Token',
  'room.token.summary': 'Token, for apps that ask for one',
  'room.token.hint': 'It is sent to this server only, and is never part of a link.',

  'publish.title': 'Publish',
  'publish.empty': 'Your camera shows here',
  'publish.video': 'Your own picture',
  'publish.camera': 'Camera',
  'publish.microphone': 'Microphone',
  'publish.quality': 'Picture',
  'publish.start': 'Publish',
  'publish.preview': 'Preview',
  'publish.preview.stop': 'Close preview',
  'publish.stop': 'Stop publishing',
  'publish.link': 'Copy viewer link',
  'device.default': 'Default',
  'device.no_camera': 'No video',
  'device.no_microphone': 'No sound',

  'watch.title': 'Watch',
  'watch.empty': 'Nothing to watch yet',
  'watch.empty.waiting': 'Waiting for {uid}',
  'watch.video': 'The picture of the uid you watch',
  'watch.uid': 'Uid to watch',
  'watch.start': 'Watch',
  'watch.stop': 'Stop watching',

  'rtmp.title': 'The same room over RTMP',
  'rtmp.intro': 'Anything that speaks RTMP is a participant like any other. Copy a line and try it.',
  'rtmp.send.title': 'Send into the room',
  'rtmp.send.uid': 'Send as uid',
  'rtmp.send.watch': 'Watch it here',
  'rtmp.send.same': 'This is your own uid. The newest publisher under a uid takes over.',
  'rtmp.ffmpeg': 'ffmpeg, with a test picture and a tone',
  'rtmp.obs.server': 'OBS: server',
  'rtmp.obs.key': 'OBS: stream key',
  'rtmp.obs.hint': 'In OBS choose the service “Custom” and set B-frames to 0.',
  'rtmp.play.title': 'Play from the room',
  'rtmp.play.hint': 'What you publish here, for players elsewhere.',
  'rtmp.url': 'RTMP address',
  'rtmp.ffplay': 'ffplay, with little delay',
  'rtmp.flv': 'HTTP-FLV address',
  'copy.button': 'Copy',
  'copy.done': 'Copied',
  'copy.failed': 'Press Ctrl+C',

  'stats.title': 'Live figures',
  'stats.size': 'Size',
  'stats.fps': 'Frames/s',
  'stats.bitrate': 'Bitrate',
  'stats.lost': 'Lost',
  'stats.rtt': 'Round trip',

  'state.idle': 'Off',
  'state.connecting': 'Connecting',
  'state.waiting': 'Waiting',
  'state.live': 'Live',
  'state.reconnecting': 'Reconnecting',
  'state.failed': 'Failed',

  'status.between': ' ',
  'status.ready': 'Ready.',
  'status.publish.connecting': 'Connecting to publish as {uid}.',
  'status.publish.waiting': 'Waiting to publish as {uid}.',
  'status.publish.live': 'Publishing in {room} as {uid}.',
  'status.publish.reconnecting': 'The connection broke while publishing. Reconnecting.',
  'status.publish.failed': 'Publishing ended.',
  'status.watch.connecting': 'Connecting to watch {uid}.',
  'status.watch.waiting': 'Waiting for {uid} to publish.',
  'status.watch.live': 'Watching {uid}.',
  'status.watch.reconnecting': 'The connection broke while watching. Reconnecting.',
  'status.watch.failed': 'Watching ended.',

  'error.unknown_app': 'The server has no app with this name.',
  'error.invalid_app': 'The app’s name is empty, too long, or holds a character that is not allowed.',
  'error.invalid_room': 'The room’s name is empty, too long, or holds a character that is not allowed.',
  'error.invalid_uid': 'The uid is empty, too long, or holds a character that is not allowed.',
  'error.missing_token': 'This app asks for a token. Paste one under “Token” above.',
  'error.malformed_token': 'The token cannot be read. Copy it again, all of it.',
  'error.token_too_large': 'The token is too long to be one.',
  'error.wrong_algorithm': 'The token is signed in a way that this server does not take. Use HS256.',
  'error.token_expired': 'The token has expired. Get a new one.',
  'error.token_not_yet_valid': 'The token is not valid yet. Check the clock of whoever made it.',
  'error.bad_signature': 'The token was not made with a secret of this app.',
  'error.wrong_app': 'The token is for another app.',
  'error.wrong_room': 'The token is for another room.',
  'error.wrong_uid': 'The token is for another uid.',
  'error.role_not_allowed': 'The token does not allow this: a host may publish, an audience may only watch.',
  'error.stream_not_found': 'Nobody publishes under this uid yet. This page keeps looking.',
  'error.silent': 'Nothing arrives from this uid at the moment. The picture goes on when it sends again.',
  'error.replaced': 'Somebody else publishes under this uid now.',
  'error.no_h264': 'This browser has no H.264, which is what mini-programs can play. Try Chrome, Edge or Safari.',
  'error.b_frames_unsupported': 'The publisher sends B-frames, which browsers cannot play live. Set B-frames to 0 in its encoder.',
  'error.no_common_codec': 'This browser and the server share no codec. H.264 and Opus are needed.',
  'error.too_many_sessions': 'The server is full. Try again later.',
  'error.too_many_streams': 'The server carries as many streams as it may. Try again later.',
  'error.shutting_down': 'The server is shutting down.',
  'error.internal': 'Something went wrong inside the server.',
  'error.sdp_too_large': 'This browser’s offer is larger than the server accepts.',
  'error.bad_sdp': 'The server could not read this browser’s offer.',
  'error.bad_answer': 'This browser could not read the server’s answer.',
  'error.no_media_path': 'The server answered, but no media gets through. A firewall may block its UDP port.',
  'error.unreachable': 'The server cannot be reached.',
  'error.timeout': 'The server did not answer in time.',
  'error.no_webrtc': 'This browser has no WebRTC.',
  'error.nothing_to_send': 'Choose a camera or a microphone.',
  'error.insecure_context': 'Browsers open cameras only on HTTPS pages and on localhost.',
  'error.device_denied': 'The camera or microphone was refused. Allow it in the address bar and try again.',
  'error.device_missing': 'No such camera or microphone was found.',
  'error.device_busy': 'The camera or microphone is in use by another program.',
  'error.device_failed': 'The camera or microphone could not be opened.',
  'error.play_blocked': 'The browser holds back sound until you press play on the picture.',
};

/** @typedef {keyof typeof en} Key */
/** @typedef {'en' | 'zh'} Language */

/** @type {Record<Key, string>} */
const zh = {
  'page.title': '鹊桥：RTMP 与 WebRTC 同处一室',
  'page.tagline': '小程序、推流软件与浏览器，在同一个房间相会',
  'page.language': '语言',
  'page.version': '鹊桥 {version}',

  'room.title': '房间',
  'room.app': '应用',
  'room.room': '房间',
  'room.uid': '我的 uid',
  'room.token': '令牌',
  'room.token.summary': '令牌（应用要求时填写）',
  'room.token.hint': '只会发给本服务器，不会出现在分享链接里。',

  'publish.title': '发布',
  'publish.empty': '这里显示你的摄像头',
  'publish.video': '自己的画面',
  'publish.camera': '摄像头',
  'publish.microphone': '麦克风',
  'publish.quality': '画质',
  'publish.start': '开始发布',
  'publish.preview': '预览',
  'publish.preview.stop': '关闭预览',
  'publish.stop': '停止发布',
  'publish.link': '复制观看链接',
  'device.default': '默认',
  'device.no_camera': '不发视频',
  'device.no_microphone': '不发声音',

  'watch.title': '观看',
  'watch.empty': '还没有观看的画面',
  'watch.empty.waiting': '正在等待 {uid}',
  'watch.video': '所观看 uid 的画面',
  'watch.uid': '要观看的 uid',
  'watch.start': '开始观看',
  'watch.stop': '停止观看',

  'rtmp.title': '同一房间的 RTMP 入口',
  'rtmp.intro': '任何支持 RTMP 的软件都是房间里平等的一员。复制一行即可试用。',
  'rtmp.send.title': '推流到房间',
  'rtmp.send.uid': '推流使用的 uid',
  'rtmp.send.watch': '在本页观看',
  'rtmp.send.same': '这是你自己的 uid。同一 uid 下，后来的发布者会取代先来的。',
  'rtmp.ffmpeg': 'ffmpeg（测试画面与测试音）',
  'rtmp.obs.server': 'OBS：服务器',
  'rtmp.obs.key': 'OBS：推流码',
  'rtmp.obs.hint': '在 OBS 中，服务选择“自定义”，并将 B 帧设为 0。',
  'rtmp.play.title': '从房间拉流',
  'rtmp.play.hint': '供其他播放器播放你在本页发布的内容。',
  'rtmp.url': 'RTMP 地址',
  'rtmp.ffplay': 'ffplay（低延迟）',
  'rtmp.flv': 'HTTP-FLV 地址',
  'copy.button': '复制',
  'copy.done': '已复制',
  'copy.failed': '请按 Ctrl+C',

  'stats.title': '实时数据',
  'stats.size': '分辨率',
  'stats.fps': '帧率',
  'stats.bitrate': '码率',
  'stats.lost': '丢包',
  'stats.rtt': '往返',

  'state.idle': '未开始',
  'state.connecting': '连接中',
  'state.waiting': '等待中',
  'state.live': '直播中',
  'state.reconnecting': '重连中',
  'state.failed': '失败',

  'status.between': '',
  'status.ready': '准备就绪。',
  'status.publish.connecting': '正在以 {uid} 的身份连接。',
  'status.publish.waiting': '等待以 {uid} 的身份发布。',
  'status.publish.live': '正以 {uid} 的身份在 {room} 中发布。',
  'status.publish.reconnecting': '发布时连接中断，正在重连。',
  'status.publish.failed': '发布已结束。',
  'status.watch.connecting': '正在连接，准备观看 {uid}。',
  'status.watch.waiting': '等待 {uid} 发布。',
  'status.watch.live': '正在观看 {uid}。',
  'status.watch.reconnecting': '观看时连接中断，正在重连。',
  'status.watch.failed': '观看已结束。',

  'error.unknown_app': '服务器上没有这个应用。',
  'error.invalid_app': '应用名为空、太长或含有不允许的字符。',
  'error.invalid_room': '房间名为空、太长或含有不允许的字符。',
  'error.invalid_uid': 'uid 为空、太长或含有不允许的字符。',
  'error.missing_token': '该应用需要令牌，请在上方“令牌”处粘贴。',
  'error.malformed_token': '无法识别令牌，请重新完整复制。',
  'error.token_too_large': '令牌太长，不是有效的令牌。',
  'error.wrong_algorithm': '服务器不接受该令牌的签名方式，请使用 HS256。',
  'error.token_expired': '令牌已过期，请获取新的令牌。',
  'error.token_not_yet_valid': '令牌尚未生效，请检查签发方的时钟。',
  'error.bad_signature': '令牌不是用该应用的密钥签发的。',
  'error.wrong_app': '令牌属于另一个应用。',
  'error.wrong_room': '令牌属于另一个房间。',
  'error.wrong_uid': '令牌属于另一个 uid。',
  'error.role_not_allowed': '令牌不允许此操作：主播可以发布，观众只能观看。',
  'error.stream_not_found': '这个 uid 还没有人发布，本页会继续等待。',
  'error.silent': '这个 uid 目前没有发送数据，恢复后画面会自动继续。',
  'error.replaced': '已有其他人以这个 uid 发布。',
  'error.no_h264': '此浏览器不支持 H.264，而小程序只能播放 H.264。请使用 Chrome、Edge 或 Safari。',
  'error.b_frames_unsupported': '发布端使用了 B 帧，浏览器无法实时播放。请在编码器中将 B 帧设为 0。',
  'error.no_common_codec': '浏览器与服务器没有共同的编码，需要 H.264 与 Opus。',
  'error.too_many_sessions': '服务器已满，请稍后再试。',
  'error.too_many_streams': '服务器承载的流已达上限，请稍后再试。',
  'error.shutting_down': '服务器正在关闭。',
  'error.internal': '服务器内部出错。',
  'error.sdp_too_large': '此浏览器的连接请求超出了服务器的限制。',
  'error.bad_sdp': '服务器无法识别此浏览器的连接请求。',
  'error.bad_answer': '此浏览器无法识别服务器的应答。',
  'error.no_media_path': '服务器已应答，但媒体数据无法通过，可能是防火墙拦截了 UDP 端口。',
  'error.unreachable': '无法连接服务器。',
  'error.timeout': '服务器没有及时应答。',
  'error.no_webrtc': '此浏览器不支持 WebRTC。',
  'error.nothing_to_send': '请选择摄像头或麦克风。',
  'error.insecure_context': '浏览器只允许在 HTTPS 页面或 localhost 上使用摄像头。',
  'error.device_denied': '摄像头或麦克风被拒绝。请在地址栏中允许后重试。',
  'error.device_missing': '找不到所选的摄像头或麦克风。',
  'error.device_busy': '摄像头或麦克风正被其他程序使用。',
  'error.device_failed': '无法打开摄像头或麦克风。',
  'error.play_blocked': '浏览器暂未放行声音，请在画面上按播放。',
};

/** @type {Readonly<Record<Language, Readonly<Record<Key, string>>>>} */
export const dictionaries = { en, zh };

/**
 * The first language that a person prefers and the page has, else English.
 *
 * @param {readonly string[]} preferred as in `navigator.languages`
 * @returns {Language}
 */
export function pickLanguage(preferred) {
  for (const tag of preferred) {
    const [language = ''] = tag.toLowerCase().split('-');
    if (isLanguage(language)) return language;
  }
  return 'en';
}

/**
 * @param {string} text
 * @returns {text is Language}
 */
export function isLanguage(text) {
  return Object.hasOwn(dictionaries, text);
}

/**
 * @param {string} text
 * @returns {text is Key}
 */
export function isKey(text) {
  return Object.hasOwn(en, text);
}

/**
 * @param {Language} language
 * @param {Key} key
 * @param {Readonly<Record<string, string>>} [parameters]
 * @returns {string}
 */
export function translate(language, key, parameters = {}) {
  return dictionaries[language][key].replace(/\{(\w+)\}/g, (whole, name) => parameters[name] ?? whole);
}

/**
 * A failure in words, or what the failure itself says where the page has no words for its code.
 *
 * @param {Language} language
 * @param {{ code: string, message: string }} failure
 * @returns {string}
 */
export function errorWords(language, { code, message }) {
  const key = `error.${code}`;
  return isKey(key) ? translate(language, key) : message;
}
