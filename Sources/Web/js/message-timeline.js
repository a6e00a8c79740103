/** A picture of messages: a lane for each participant, time downwards, an arrow for each message. */

const NAMESPACE = "http://www.w3.org/2000/svg";
const ROW = 30, HEAD = 36, TOP = 52, BOTTOM = 24, LEFT = 72, LANE = 132;

/** @typedef {import("./api.js").Scenario} Scenario */
/** @typedef {import("./api.js").TraceEvent} TraceEvent */

export class MessageTimeline {
    #container;
    #picture;
    #steps;
    /** @type {Map<string, number>} the x of each participant's lane */
    #lanes = new Map();
    #events;
    #names;

    /**
     * @param {HTMLElement} container is emptied first
     * @param {Scenario} scenario
     */
    constructor(container, scenario) {
        this.#container = container;
        this.#steps = scenario.steps;
        for (const name of [...scenario.clients, ...scenario.nodes]) {
            this.#lanes.set(name, LEFT + LANE / 2 + this.#lanes.size * LANE);
        }
        const width = LEFT + this.#lanes.size * LANE;
        const height = TOP + scenario.steps.length * ROW + BOTTOM;
        this.#picture = make("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
        for (const x of this.#lanes.values()) {
            this.#picture.append(make("line", { class: "lane", x1: x, x2: x, y1: HEAD, y2: height - 8 }));
        }
        this.#events = scenario.steps.map((step, index) => this.#event(step.event, index));
        // The names come last, so that they stay above what is scrolled under them.
        this.#names = make("g", {}, make("rect", { class: "lane-back", x: 0, y: 0, width, height: HEAD }));
        for (const [name, x] of this.#lanes) this.#names.append(label("lane-name", name, x, 23));
        this.#picture.append(...this.#events, this.#names);
        container.replaceChildren(this.#picture);
        container.onscroll = () => this.#holdNames();
        this.#holdNames();
    }

    /**
     * Shows what has happened after so many steps, and brings the last into view.
     * @param {number} count
     */
    show(count) {
        for (const [index, event] of this.#events.entries()) {
            event.toggleAttribute("hidden", index >= count);
            event.toggleAttribute("data-now", index === count - 1);
        }
        const y = this.#y(Math.max(0, count - 1)) * this.#scale();
        const { scrollTop, clientHeight } = this.#container;
        if (y > scrollTop + clientHeight - 2 * ROW) this.#container.scrollTop = y - clientHeight + 3 * ROW;
        else if (y < scrollTop + HEAD + ROW) this.#container.scrollTop = Math.max(0, y - HEAD - 2 * ROW);
    }

    /** The picture is as wide as the container: how many pixels that makes of one of its units. */
    #scale() {
        const width = LEFT + this.#lanes.size * LANE;
        return this.#picture.getBoundingClientRect().width / width || 1;
    }

    #holdNames() {
        this.#names.setAttribute("transform", `translate(0 ${this.#container.scrollTop / this.#scale()})`);
    }

    /** @param {number} index */
    #y(index) {
        return TOP + ROW / 2 + index * ROW;
    }

    /**
     * Where a moment is: events stand at even distances, and what is between two of them between their rows.
     * @param {number} time
     * @param {number} before the event that comes after it
     */
    #yAt(time, before) {
        let index = before;
        while (index > 0 && this.#steps[index - 1].event.time_microseconds >= time) index--;
        const from = this.#steps[index - 1]?.event.time_microseconds ?? 0;
        const to = this.#steps[index].event.time_microseconds;
        return this.#y(index - 1 + (to > from ? (time - from) / (to - from) : 1));
    }

    /**
     * @param {TraceEvent} event
     * @param {number} index
     */
    #event(event, index) {
        const group = make("g", { class: "event" });
        const y = this.#y(index);
        group.append(label("clock", `${(event.time_microseconds / 1000).toFixed(2)} ms`, LEFT - 10, y + 4));
        const from = this.#lanes.get(event.from ?? ""), to = this.#lanes.get(event.to ?? "");
        if (event.message && from !== undefined && to !== undefined) {
            const start = this.#yAt(event.sent_microseconds ?? event.time_microseconds, index);
            const words = label("arrow-label", messageWords(event), (from + to) / 2, (start + y) / 2 - 5);
            group.append(...arrow(from, start, to, y), words);
            group.toggleAttribute("data-lost", event.kind === "lost");
        } else {
            const x = from ?? LEFT + 6;
            group.append(make("circle", { class: "mark", cx: x, cy: y, r: 5, "data-kind": event.kind }));
            group.append(label("mark-label", event.kind === "synchronized" ? "on disk" : event.kind, x + 10, y + 4));
        }
        return group;
    }
}

/** @param {TraceEvent} event */
function messageWords({ message, kind }) {
    if (!message) return "";
    const ballot = message.ballot ? ` ${message.ballot}` : "";
    const value = message.value ? ` = ${message.value}` : "";
    return `${kind === "lost" ? "✕ " : ""}${message.type}${ballot}${value}`;
}

/**
 * A line and its head, which ends at the lane.
 * @param {number} x1
 * @param {number} y1
 * @param {number} x2
 * @param {number} y2
 */
function arrow(x1, y1, x2, y2) {
    const length = Math.hypot(x2 - x1, y2 - y1) || 1;
    const [dx, dy] = [(x2 - x1) / length, (y2 - y1) / length];
    const [baseX, baseY] = [x2 - 9 * dx, y2 - 9 * dy];
    const points = [[x2, y2], [baseX - 4 * dy, baseY + 4 * dx], [baseX + 4 * dy, baseY - 4 * dx]];
    return [
        make("line", { class: "arrow", x1, y1, x2: baseX, y2: baseY }),
        make("polygon", { class: "arrow-head", points: points.map((point) => point.join()).join(" ") }),
    ];
}

/**
 * @param {string} style
 * @param {string} text
 * @param {number} x
 * @param {number} y
 */
function label(style, text, x, y) {
    const made = make("text", { class: style, x, y });
    made.textContent = text;
    return made;
}

/**
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 * @param {...SVGElement} children
 * @returns {SVGElement}
 */
function make(tag, attributes, ...children) {
    const made = document.createElementNS(NAMESPACE, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
    made.append(...children);
    return /** @type {SVGElement} */ (made);
}
