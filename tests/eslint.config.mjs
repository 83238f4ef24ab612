import js from '@eslint/js';
import globals from 'globals';

export default [
  js.configs.recommended,
  {
    // Functions given to a page run in the browser.
    languageOptions: { globals: { ...globals.browser, ...globals.node } },
    rules: {
      eqeqeq: 'error',
      'no-var': 'error',
      'prefer-const': 'error',
      'no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
    },
  },
  {
    files: ['lib/page/**'],
    languageOptions: { globals: globals.audioWorklet },
  },
  {
    files: ['miniprograms/**'],
    languageOptions: {
      sourceType: 'commonjs',
      globals: { App: 'readonly', Page: 'readonly', Component: 'readonly', getApp: 'readonly', wx: 'readonly', requirePlugin: 'readonly' },
    },
  },
];
