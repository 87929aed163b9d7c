/** Elements are made here and nowhere else, and text is only ever text: what a row or a broker says cannot become markup. */

const SVG = 'http://www.w3.org/2000/svg';

/**
 * @typedef {Node | string | null | false} Child
 * @typedef {Readonly<Record<string, string | number | boolean | null | ((event: Event) => void)>>} Attributes
 */

/**
 * An element. Attributes that are null or false are left out; functions are listeners.
 *
 * @param {string} name
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {HTMLElement}
 */
export function h(name, attributes = {}, ...children) {
  return /** @type {HTMLElement} */ (fill(document.createElement(name), attributes, children));
}

/**
 * An SVG element, like {@link h}.
 *
 * @param {string} name
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {SVGElement}
 */
export function s(name, attributes = {}, ...children) {
  return /** @type {SVGElement} */ (fill(document.createElementNS(SVG, name), attributes, children));
}

/**
 * @param {Element} element
 * @param {Attributes} attributes
 * @param {readonly Child[]} children
 */
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name, value);
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...present(children));
  return element;
}

/**
 * @param {readonly Child[]} children
 * @returns {(Node | string)[]}
 */
function present(children) {
  return children.flatMap((child) => (child === null || child === false ? [] : [child]));
}

/**
 * The element of the page with this id.
 *
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no ${id}`);
  return element;
}

/**
 * Sets a text only when it differs: what is unchanged is not announced, and a selection in it stays.
 *
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** @type {WeakMap<Element, string>} */
const drawn = new WeakMap();

/**
 * Draws an element's children anew when what they are made of has changed. The focus stays with the child of the same
 * `data-focus`.
 *
 * @param {Element} element
 * @param {unknown} model all that `draw` depends on
 * @param {() => readonly Child[]} draw
 */
export function redraw(element, model, draw) {
  const key = JSON.stringify(model);
  if (drawn.get(element) === key) return;
  drawn.set(element, key);
  const focused = element.contains(document.activeElement) ? document.activeElement?.getAttribute('data-focus') : null;
  element.replaceChildren(...present(draw()));
  if (focused) {
    for (const child of element.querySelectorAll('[data-focus]'))
      if (child instanceof HTMLElement && child.getAttribute('data-focus') === focused) child.focus();
  }
}
