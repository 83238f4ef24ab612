import js from '@eslint/js';
import globals from 'globals';

// tests/ has a configuration of its own, which eslint prefers there.
export default [
  {ignores: ['target/', 'node_modules/', '.cache/', 'tests/']},
  js.configs.recommended,
  {
    files: ['web-client/src/**/*.js'],
    languageOptions: {ecmaVersion: 2024, sourceType: 'module', globals: globals.browser},
    rules: {
      eqeqeq: 'error',
      'no-var': 'error',
      'prefer-const': 'error',
      'no-unused-vars': ['error', {args: 'all', argsIgnorePattern: '^_'}],
      'no-eval': 'error',
      'no-implied-eval': 'error',
    },
  },
  {
    files: ['web-client/test/**/*.mjs', '*.mjs'],
    languageOptions: {ecmaVersion: 2024, sourceType: 'module', globals: globals.node},
  },
];
