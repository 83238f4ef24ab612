import {inside, relativeTo} from './package.js';

/** WeChat's own limit is far below; a project with more components than this has a cycle that we failed to see. */
const MAX_COMPONENTS = 2000;

/**
 * @typedef {object} ComponentFiles
 * @property {string} path without an extension
 * @property {Record<string, any>} config its JSON; `usingComponents` holds absolute paths, the app's own included
 *
 * @typedef {object} AppConfig
 * @property {string[]} pages of all packages
 * @property {string} first the page that is opened unless another one is asked for
 * @property {string[]} tabs pages of the tab bar
 * @property {Record<string, any>} window
 * @property {Record<string, any>} raw app.json
 * @property {ComponentFiles[]} components pages and every component that they use
 */

/**
 * Reads app.json and the JSON of all pages and components.
 *
 * @param {import('./package.js').Package} pkg
 * @returns {AppConfig}
 * @throws {Error} if a page or component is missing, with the file that names it
 */
export function readConfig(pkg) {
  const raw = pkg.json('app.json');
  const pages = [...(raw.pages ?? [])].map(inside);
  for (const sub of raw.subpackages ?? raw.subPackages ?? []) {
    for (const page of sub.pages ?? []) pages.push(inside(`${sub.root}/${page}`));
  }
  const first = raw.entryPagePath === undefined ? pages[0] : inside(raw.entryPagePath);
  if (first === undefined) throw new Error('app.json: no pages');
  if (!pages.includes(first)) throw new Error(`app.json: entryPagePath ${first} is none of the pages`);
  const shared = resolveUsing(pkg, 'app.json', raw.usingComponents ?? {});
  /** @type {Map<string, ComponentFiles>} */
  const found = new Map();
  const queue = pages.map((path) => ({path, by: 'app.json', page: true}));
  for (let next = queue.shift(); next; next = queue.shift()) {
    if (found.has(next.path)) continue;
    if (found.size >= MAX_COMPONENTS) throw new Error(`more than ${MAX_COMPONENTS} pages and components`);
    const {path, by, page} = next;
    for (const extension of ['js', 'wxml']) {
      if (!pkg.has(`${path}.${extension}`)) throw new Error(`${path}.${extension} is missing, ${by} names ${path}`);
    }
    const own = pkg.has(`${path}.json`) ? pkg.json(`${path}.json`) : {};
    const using = {...shared, ...resolveUsing(pkg, `${path}.json`, own.usingComponents ?? {})};
    found.set(path, {path, config: {...own, component: own.component ?? !page, usingComponents: using}});
    for (const used of Object.values(using)) queue.push({path: inside(used), by: `${path}.json`, page: false});
  }
  const tabs = (raw.tabBar?.list ?? []).map((/** @type {any} */ tab) => inside(tab.pagePath));
  return {pages, first, tabs, window: raw.window ?? {}, raw, components: [...found.values()]};
}

/**
 * @param {import('./package.js').Package} pkg
 * @param {string} file in which they are named
 * @param {Record<string, string>} using
 * @returns {Record<string, string>}
 */
function resolveUsing(pkg, file, using) {
  /** @type {Record<string, string>} */
  const resolved = {};
  for (const [tag, target] of Object.entries(using)) {
    if (target.includes('://')) throw new Error(`${file}: components of plugins cannot be used (${tag}: ${target})`);
    const path = candidates(file, target).find((base) => pkg.has(`${base}.js`) && pkg.has(`${base}.wxml`));
    if (path === undefined) throw new Error(`${file}: component ${tag} is not found at ${target}`);
    resolved[tag] = `/${path}`;
  }
  return resolved;
}

/**
 * @param {string} file
 * @param {string} target
 */
function candidates(file, target) {
  const bases = [relativeTo(file, target)];
  if (!target.startsWith('.') && !target.startsWith('/')) {
    bases.push(inside(target));
    for (let dir = file; dir.includes('/');) {
      dir = dir.slice(0, dir.lastIndexOf('/'));
      bases.push(inside(`${dir}/miniprogram_npm/${target}`));
    }
    bases.push(inside(`miniprogram_npm/${target}`));
  }
  return bases.flatMap((base) => [base, `${base}/index`]);
}
