/** Building and finding elements. Text only ever becomes text: nothing here parses markup. */

/**
 * The element of the page with this id.
 * @template {Element} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
export function byId(id, type) {
    const found = document.getElementById(id);
    if (!(found instanceof type)) throw new Error(`the page has no ${type.name} with the id '${id}'`);
    return found;
}

/**
 * A new element. Properties are set on the element; those with a hyphen are attributes; `dataset` is merged.
 * @param {string} tag
 * @param {Record<string, any>} [properties]
 * @param {...(Node | string)} children
 * @returns {HTMLElement}
 */
export function element(tag, properties = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
        if (name === "dataset") Object.assign(made.dataset, value);
        else if (name.includes("-") || name === "role") made.setAttribute(name, value);
        else /** @type {any} */ (made)[name] = value;
    }
    made.append(...children);
    return made;
}

/**
 * A picture from icons.svg, hidden from screen readers: whatever holds it has a label.
 * @param {string} name
 * @returns {SVGElement}
 */
export function icon(name) {
    const namespace = "http://www.w3.org/2000/svg";
    const picture = document.createElementNS(namespace, "svg");
    picture.setAttribute("class", "icon");
    picture.setAttribute("aria-hidden", "true");
    const use = document.createElementNS(namespace, "use");
    use.setAttribute("href", `/icons.svg#${name}`);
    picture.append(use);
    return picture;
}

/**
 * A button that is only an icon.
 * @param {string} name of the icon
 * @param {string} label what a screen reader says, and the tooltip
 * @param {(event: MouseEvent) => void} onclick
 * @param {string} [className]
 * @returns {HTMLElement}
 */
export function iconButton(name, label, onclick, className = "") {
    const properties = { type: "button", className: `icon-button ${className}`.trim(), title: label, onclick };
    return element("button", { ...properties, "aria-label": label }, icon(name));
}

/**
 * Sets text only when it differs, so that live regions speak once.
 * @param {Element} target
 * @param {string} text
 */
export function setText(target, text) {
    if (target.textContent !== text) target.textContent = text;
}
