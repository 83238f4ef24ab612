// Runs before the page is painted, so that a dark page never begins light.
try {
  const kept = localStorage.getItem('queqiao.theme');
  const dark = kept === 'dark' || (kept !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
} catch {
  // Without storage the page decides as soon as it runs.
}
