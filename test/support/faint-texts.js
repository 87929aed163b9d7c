/* Runs in a page: the texts that are seen whose contrast with what is behind them is below 4.5. */
(() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });

  /** @param {string} color as CSS computes it, in whatever notation @returns {readonly number[]} red, green, blue, alpha */
  function rgba(color) {
    if (canvas === null) throw new Error('no canvas');
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  }

  /** @param {readonly number[]} color */
  function luminance(color) {
    const [red = 0, green = 0, blue = 0] = color.map((part) =>
      part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4,
    );
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  }

  /** @param {Element | null} element @returns {readonly number[]} */
  function behind(element) {
    if (element === null) return [255, 255, 255, 255];
    const color = rgba(getComputedStyle(element).backgroundColor);
    return color[3] === 255 ? color : behind(element.parentElement);
  }

  /** @param {Element} element */
  function contrast(element) {
    const both = [luminance(rgba(getComputedStyle(element).color)), luminance(behind(element))];
    return (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
  }

  /** @param {Element} element */
  function ownText(element) {
    const texts = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE);
    return texts.map((node) => node.textContent?.trim() ?? '').join('');
  }

  return [...document.body.querySelectorAll('*')]
    .filter((element) => ownText(element) !== '' && element.checkVisibility() && !element.closest('noscript'))
    .filter((element) => contrast(element) < 4.5)
    .map((element) => `${ownText(element)} (${contrast(element).toFixed(2)})`);
})();
