import templateCompiler from 'glass-easel-template-compiler';
import {relativeTo} from './package.js';

/** The compiler goes on after these, WeChat's does not. */
const ALSO_ERRORS = new Set(['missing end tag', 'incomplete tag', 'invalid end tag', 'missing expression end']);

const WXS_REQUIRE = /(\brequire\s*\(\s*['"])([^'"]+?)(?:\.wxs)?(['"]\s*\))/g;

/**
 * Compiles the WXML of pages and components with everything that they import, include and require.
 *
 * @param {import('./package.js').Package} pkg
 * @param {import('./realm.js').Realm} realm
 * @param {string[]} paths of pages and components, without extension
 * @param {Function} listen stands between an event and its handler, see glass-easel's EventListenerWrapper
 * @param {(text: string) => void} warn
 * @returns {Map<string, any>} path → glass-easel ComponentTemplate
 * @throws {Error} with file and line, if a template cannot be compiled or a file is missing
 */
export function compileTemplates(pkg, realm, paths, listen, warn) {
  const group = new templateCompiler.TmplGroup();
  try {
    const seen = new Set();
    const queue = [...paths];
    for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
      if (seen.has(path)) continue;
      seen.add(path);
      report(path, group.addTmpl(path, pkg.text(`${path}.wxml`)), warn);
      for (const target of group.getDirectDependencies(path)) {
        if (!pkg.has(`${target}.wxml`)) throw new Error(`${path}.wxml: ${target}.wxml is missing`);
        queue.push(target);
      }
      addScripts(pkg, group, path);
    }
    group.setExtraRuntimeScript('Q.C=listen;');
    const build = realm.compile(`return ${group.getTmplGenObjectGroups()}`, 'wxml', ['listen']);
    const groupList = build(listen);
    return new Map(paths.map((path) => [path, {
      groupList, content: groupList[path], fallbackListenerOnNativeNode: true,
    }]));
  } finally {
    group.free();
  }
}

/**
 * @param {import('./package.js').Package} pkg
 * @param {any} group
 * @param {string} path
 */
function addScripts(pkg, group, path) {
  const queue = group.getScriptDependencies(path).map((/** @type {string} */ name) => ({name, by: `${path}.wxml`}));
  const seen = new Set();
  for (let next = queue.shift(); next; next = queue.shift()) {
    const {name, by} = next;
    if (seen.has(name)) continue;
    seen.add(name);
    if (!pkg.has(`${name}.wxs`)) throw new Error(`${by}: ${name}.wxs is missing`);
    // Scripts are known without their extension, which the compiler takes off a `src` but not off a require.
    const text = pkg.text(`${name}.wxs`).replace(WXS_REQUIRE, (_, before, request, after) => {
      queue.push({name: relativeTo(name, request), by: `${name}.wxs`});
      return `${before}${request}${after}`;
    });
    group.addScript(name, text);
  }
}

/**
 * @param {string} path
 * @param {any[]} findings
 * @param {(text: string) => void} warn
 */
function report(path, findings, warn) {
  for (const {isError, level, message, startLine, startColumn} of findings) {
    const text = `${path}.wxml:${startLine + 1}:${startColumn + 1}: ${message}`;
    if (isError || ALSO_ERRORS.has(message)) throw new Error(text);
    if (level === 'Warn') warn(text);
  }
}
