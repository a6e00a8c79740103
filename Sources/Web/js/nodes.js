/** The strip in the header: how the storage nodes are, and what the system holds. */

import { byId, element, setText } from "./dom.js";
import { counted } from "./format.js";

/** @typedef {import("./api.js").StorageNode} StorageNode */

export class NodeStrip {
    #dots = byId("nodes-dots", HTMLElement);
    #count = byId("nodes-count", HTMLElement);
    #words = byId("nodes-words", HTMLElement);
    #list = byId("nodes-list", HTMLUListElement);
    #totals = byId("nodes-totals", HTMLElement);

    constructor() {
        const details = byId("nodes", HTMLDetailsElement);
        document.addEventListener("click", (event) => {
            if (event.target instanceof Node && !details.contains(event.target)) details.open = false;
        });
        details.addEventListener("keydown", (event) => {
            if (event.key !== "Escape" || !details.open) return;
            details.open = false;
            details.querySelector("summary")?.focus();
        });
    }

    /** @param {import("./api.js").Stats | null} stats null when nobody knows */
    show(stats) {
        const nodes = stats?.nodes ?? [];
        const healthy = nodes.filter((node) => node.status === "healthy").length;
        this.#dots.replaceChildren(...nodes.map((node) => this.#dot(node)));
        this.#list.replaceChildren(...nodes.map((node) => this.#row(node)));
        if (!stats) {
            setText(this.#count, "");
            setText(this.#words, "Storage nodes unknown");
            setText(this.#totals, "The metadata service does not answer.");
            return;
        }
        setText(this.#count, nodes.length ? `${healthy} of ${nodes.length}` : "");
        setText(this.#words, nodes.length ? "nodes healthy" : "No storage nodes");
        const { total_videos, total_chunks, total_replicas } = stats;
        const copies = total_replicas === 1 ? "1 copy" : `${total_replicas.toLocaleString("en")} copies`;
        setText(
            this.#totals,
            `${counted(total_videos, "video")} in ${counted(total_chunks, "chunk")}, ${copies} stored.`);
    }

    /** @param {StorageNode} node */
    #dot(node) {
        return element("span", { className: "dot", dataset: { status: node.status } });
    }

    /** @param {StorageNode} node */
    #row(node) {
        const state = node.status === "healthy" ? "" : `${node.status} · `;
        const detail = `${state}${counted(node.chunk_count, "chunk")} · disk ${Math.round(node.disk_usage_percent)} %`;
        const row = element(
            "li", {}, this.#dot(node), element("span", { className: "nodes-name" }, node.node_id),
            element("span", { className: "nodes-detail" }, detail));
        const trouble = this.#trouble(node);
        if (trouble) row.append(element("span", { className: "nodes-trouble" }, trouble));
        return row;
    }

    /**
     * What is wrong with a node that answers, in a sentence.
     * @param {StorageNode} node
     */
    #trouble(node) {
        if (node.status === "down") return "";
        if (node.impairment) return node.impairment;
        const damaged = node.corrupt_chunks?.length ?? 0;
        return damaged ? `${counted(damaged, "damaged chunk")}` : "";
    }
}
