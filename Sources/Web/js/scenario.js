/** Plays a scenario of the simulator, step by step. */

import * as api from "./api.js";
import { byId, element, setText } from "./dom.js";
import { MessageTimeline } from "./message-timeline.js";

export class ScenarioPlayer {
    #tabs = byId("scenarios", HTMLElement);
    #notice = byId("scenario-notice", HTMLElement);
    #body = byId("scenario", HTMLElement);
    #text = byId("step-text", HTMLElement);
    #count = byId("step-count", HTMLElement);
    #states = byId("states", HTMLElement);
    #back = byId("step-back", HTMLButtonElement);
    #next = byId("step-next", HTMLButtonElement);
    /** The name of the scenario that was asked for last. */
    #wanted = "";
    /** @type {api.Scenario | null} */
    #scenario = null;
    /** @type {MessageTimeline | null} */
    #timeline = null;
    /** How many steps have happened. */
    #step = 0;

    async start() {
        byId("step-first", HTMLButtonElement).addEventListener("click", () => this.#go(0));
        byId("step-last", HTMLButtonElement).addEventListener("click", () => this.#go(Infinity));
        this.#back.addEventListener("click", () => this.#go(this.#step - 1));
        this.#next.addEventListener("click", () => this.#go(this.#step + 1));
        try {
            const scenarios = await api.scenarios();
            this.#tabs.replaceChildren(...scenarios.map((one) => this.#tab(one)));
            if (scenarios[0]) await this.#show(scenarios[0].name);
        } catch (error) {
            this.#fail(error);
        }
    }

    /** @param {{name: string, title: string}} scenario */
    #tab({ name, title }) {
        const properties = { type: "button", className: "button", dataset: { name }, onclick: () => void this.#show(name) };
        return element("button", { ...properties, "aria-pressed": "false" }, title);
    }

    /** @param {string} name */
    async #show(name) {
        this.#wanted = name;
        for (const tab of this.#tabs.querySelectorAll("button")) {
            tab.setAttribute("aria-pressed", String(tab.dataset.name === name));
        }
        let scenario;
        try {
            scenario = await api.scenario(name);
        } catch (error) {
            return this.#fail(error);
        }
        if (name !== this.#wanted) return;
        this.#scenario = scenario;
        this.#notice.hidden = true;
        this.#body.hidden = false;
        setText(byId("scenario-summary", HTMLElement), scenario.summary);
        this.#timeline = new MessageTimeline(byId("timeline", HTMLElement), scenario);
        this.#go(0);
    }

    /** @param {unknown} error */
    #fail(error) {
        setText(this.#notice, /** @type {Error} */ (error).message);
        this.#notice.hidden = false;
        this.#body.hidden = true;
    }

    /** @param {number} step */
    #go(step) {
        const scenario = this.#scenario;
        if (!scenario || !this.#timeline) return;
        this.#step = Math.max(0, Math.min(step, scenario.steps.length));
        this.#back.disabled = this.#step === 0;
        this.#next.disabled = this.#step === scenario.steps.length;
        setText(this.#count, `Step ${this.#step} of ${scenario.steps.length}`);
        const now = scenario.steps[this.#step - 1];
        setText(this.#text, now ? told(now.event) : "Nothing has happened yet.");
        this.#timeline.show(this.#step);
        this.#states.replaceChildren(...(now ? stateList(now) : []));
    }
}

/** @param {api.TraceEvent} event */
function told(event) {
    const who = event.to ? `${event.from} → ${event.to}` : event.from;
    return `${(event.time_microseconds / 1000).toFixed(2)} ms  ${who ? `${who}: ` : ""}${event.text}`;
}

/** @param {api.TraceStep} step */
function stateList(step) {
    const about = [step.event.from, step.event.to];
    const clients = step.clients.map((client) => {
        const words = [client.phase];
        if (client.ballot) words.push(`ballot ${client.ballot}`);
        if (client.decided) words.push(`knows ${client.decided}`);
        else if (client.value) words.push(`wants ${client.value}`);
        return state(client.name, client.is_up, words.join(", "), about.includes(client.name));
    });
    const nodes = step.acceptors.map((acceptor) => {
        const words = acceptor.version ? [`version ${acceptor.version}`] : [];
        words.push(acceptor.promised ? `promised ${acceptor.promised}` : "promised nothing");
        if (acceptor.accepted_ballot) words.push(`accepted ${acceptor.accepted_value} under ${acceptor.accepted_ballot}`);
        return state(acceptor.node, acceptor.is_up, words.join(", "), about.includes(acceptor.node));
    });
    const versions = step.chosen.map((value, version) => (version ? `${value} in version ${version}` : value));
    const chosen = element(
        "div", { className: "state" }, element("span", { className: "state-name" }, "Chosen"),
        element("span", { className: "state-words" }, versions.join(", ") || "nothing yet"));
    return [...clients, ...nodes, chosen];
}

/**
 * @param {string} name
 * @param {boolean} isUp
 * @param {string} words
 * @param {boolean} isConcerned
 */
function state(name, isUp, words, isConcerned) {
    const dot = element("span", { className: "dot", dataset: { status: isUp ? "healthy" : "down" } });
    const made = element(
        "div", { className: "state" }, element("span", { className: "state-name" }, dot, name),
        element("span", { className: "state-words" }, isUp ? words : `down; ${words}`));
    made.toggleAttribute("data-now", isConcerned);
    return made;
}
