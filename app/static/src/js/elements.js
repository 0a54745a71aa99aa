// Elements of the page, each with the type that the script expects. An element of another type is a mistake in a
// template and is said at once.

/**
 * @template {Element} T
 * @typedef {abstract new (...args: any[]) => T} ElementType  the class of an element, such as HTMLInputElement
 */

/**
 * @template {Element} T
 * @param {Element | null | undefined} element
 * @param {string} name
 * @param {ElementType<T>} type
 * @returns {T | null}
 */
function typed(element, name, type) {
  if (!element) return null;
  if (element instanceof type) return element;
  throw new TypeError(`${name} is <${element.localName}>, not ${type.name}.`);
}

/**
 * @template T
 * @param {T | null} element
 * @param {string} name
 * @returns {T}
 */
function present(element, name) {
  if (element === null) throw new TypeError(`The page has no ${name}.`);
  return element;
}

/**
 * The element with this id, or null.
 * @template {Element} [T=HTMLElement]
 * @param {string} id
 * @param {ElementType<T>} type
 */
export const byId = (id, type) => typed(document.getElementById(id), `#${id}`, type);

/**
 * The element with this id, which must be there.
 * @template {Element} T
 * @param {string} id
 * @param {ElementType<T>} type
 */
export const needId = (id, type) => present(byId(id, type), `#${id}`);

/**
 * The first element that matches, or null.
 * @template {Element} T
 * @param {ParentNode} root
 * @param {string} selector
 * @param {ElementType<T>} type
 */
export const find = (root, selector, type) => typed(root.querySelector(selector), selector, type);

/**
 * The first element that matches, which must be there.
 * @template {Element} T
 * @param {ParentNode} root
 * @param {string} selector
 * @param {ElementType<T>} type
 */
export const need = (root, selector, type) => present(find(root, selector, type), selector);

/**
 * Every element that matches.
 * @template {Element} T
 * @param {ParentNode} root
 * @param {string} selector
 * @param {ElementType<T>} type
 * @returns {T[]}
 */
export const all = (root, selector, type) =>
  [...root.querySelectorAll(selector)].map((element) => present(typed(element, selector, type), selector));

/**
 * The element that an event happened in, or null. An event of the document itself happened in none.
 * @template {Element} T
 * @param {Event} event
 * @param {string} selector
 * @param {ElementType<T>} type
 */
export const closest = ({ target }, selector, type) =>
  typed(target instanceof Element ? target.closest(selector) : null, selector, type);

/**
 * A fresh element from the <template> with this id.
 * @template {Element} T
 * @param {string} id
 * @param {ElementType<T>} type
 * @returns {T}
 */
export function fromTemplate(id, type) {
  const [element] = document.importNode(needId(id, HTMLTemplateElement).content, true).children;
  return present(typed(element, `#${id}`, type), `#${id}`);
}

/**
 * A new element with properties.
 * @template {keyof HTMLElementTagNameMap} N
 * @param {N} name
 * @param {Partial<HTMLElementTagNameMap[N]>} properties
 * @returns {HTMLElementTagNameMap[N]}
 */
export const create = (name, properties) => Object.assign(document.createElement(name), properties);

/**
 * Changes a text only where it differs: writing the same text again would disturb a selection.
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
