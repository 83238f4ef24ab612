import js from '@eslint/js';
import globals from 'globals';

const rules = {
  eqeqeq: 'error',
  'no-var': 'error',
  'prefer-const': 'error',
  'no-unused-vars': ['error', {args: 'all', argsIgnorePattern: '^_'}],
  'no-eval': 'error',
  'no-implied-eval': 'error',
};

// tests/ has a configuration of its own, which eslint prefers there.
export default [
  {ignores: ['target/', 'node_modules/', '.cache/', 'tests/', 'web-client/types/']},
  js.configs.recommended,
  {
    files: ['web-client/sdk/**/*.js', 'web-client/page/**/*.js'],
    languageOptions: {ecmaVersion: 2024, sourceType: 'module', globals: globals.browser},
    rules,
  },
  {
    // Runs in browsers, mini-programs and tests alike: nothing but the language.
    files: ['web-client/core/**/*.js'],
    languageOptions: {ecmaVersion: 2023, sourceType: 'module', globals: {}},
    rules,
  },
  {
    files: ['miniprogram/emulator/**/*.js', 'miniprogram/emulator/**/*.mjs'],
    languageOptions: {ecmaVersion: 2024, sourceType: 'module', globals: globals.node},
    rules,
  },
  {
    // Mini-programs have the language, timers, a console and wx.
    files: ['miniprogram/src/**/*.js'],
    languageOptions: {
      ecmaVersion: 2022,
      sourceType: 'module',
      globals: { wx: 'readonly', setTimeout: 'readonly', clearTimeout: 'readonly', console: 'readonly' },
    },
    rules,
  },
  // What the build writes.
  {ignores: ['miniprogram/demo/lib/', 'miniprogram/miniprogram_dist/']},
  {
    files: ['miniprogram/demo/**/*.js'],
    languageOptions: {
      ecmaVersion: 2022,
      sourceType: 'commonjs',
      globals: {
        App: 'readonly', Page: 'readonly', Component: 'readonly', wx: 'readonly', getApp: 'readonly', getCurrentPages: 'readonly',
        setTimeout: 'readonly', clearTimeout: 'readonly', setInterval: 'readonly', clearInterval: 'readonly', console: 'readonly',
      },
    },
    rules,
  },
  {
    files: ['miniprogram/components/**/*.js'],
    languageOptions: {
      ecmaVersion: 2022,
      sourceType: 'commonjs',
      globals: { wx: 'readonly', console: 'readonly', Component: 'readonly' },
    },
    rules,
  },
  {
    files: ['web-client/test/**/*.mjs', 'miniprogram/test/**/*.mjs', 'miniprogram/scripts/**/*.mjs', '*.mjs'],
    languageOptions: {ecmaVersion: 2024, sourceType: 'module', globals: globals.node},
  },
];
