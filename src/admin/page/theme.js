/* Runs before the first paint, so that a chosen theme does not flash the other one. */
(() => {
  const KEY = 'outbox-relay-theme';
  const THEMES = ['auto', 'light', 'dark'];

  /** @returns {string} what was chosen; `auto`: as the system has it */
  function chosen() {
    try {
      const kept = localStorage.getItem(KEY);
      return kept !== null && THEMES.includes(kept) ? kept : 'auto';
    } catch {
      return 'auto';
    }
  }

  /** @param {string} theme */
  function apply(theme) {
    document.documentElement.dataset.theme = theme;
    const button = document.getElementById('theme-button');
    if (button !== null) button.textContent = `Theme: ${theme}`;
  }

  apply(chosen());
  document.addEventListener('DOMContentLoaded', () => {
    let theme = chosen();
    apply(theme);
    document.getElementById('theme-button')?.addEventListener('click', () => {
      theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? 'auto';
      apply(theme);
      try {
        localStorage.setItem(KEY, theme);
      } catch {
        // a browser that keeps nothing: it holds for this visit
      }
    });
  });
})();
