/** A chunk, picked by video and number, and what its acceptors say of it. */

import * as api from "./api.js";
import { byId, element, setText } from "./dom.js";
import { bytes } from "./format.js";

const REFRESH_MILLISECONDS = 2_000;
const VIDEOS_MAX = 200;

/**
 * What each phase of the agreement means.
 * @type {Record<string, string>}
 */
const PHASES = {
    idle: "Nothing promised yet", promised: "Promised", accepted: "Accepted by some", chosen: "Chosen by a majority",
    committed: "Chosen and recorded", conflict: "Two values under one ballot",
};

export class ChunkView {
    #videos = byId("video-choice", HTMLSelectElement);
    #chunks = byId("chunk-choice", HTMLSelectElement);
    #phase = byId("phase", HTMLElement);
    #notice = byId("chunk-notice", HTMLElement);
    #body = byId("chunk", HTMLElement);
    #facts = byId("facts", HTMLElement);
    #acceptors = byId("acceptors", HTMLElement);
    /** The chunk that is asked about, so that an answer that comes late is not shown. */
    #shown = "";
    /** The text of the last answer: nothing is built anew when nothing has changed. */
    #last = "";

    start() {
        byId("picker", HTMLFormElement).addEventListener("submit", (event) => event.preventDefault());
        this.#videos.addEventListener("change", () => void this.#showVideo());
        this.#chunks.addEventListener("change", () => void this.#showChunk());
        void this.#listVideos();
        setInterval(() => {
            if (!document.hidden && this.#shown) void this.#refresh();
        }, REFRESH_MILLISECONDS);
    }

    async #listVideos() {
        try {
            const videos = (await api.videos(VIDEOS_MAX, 0)).filter((video) => video.status !== "failed");
            this.#videos.replaceChildren(...videos.map((video) => new Option(video.title, video.video_id)));
            this.#videos.disabled = videos.length === 0;
            if (videos.length === 0) return this.#say("There is no video yet. Upload one in the library, and look again.");
            const wanted = new URLSearchParams(location.search).get("video");
            if (wanted && videos.some((video) => video.video_id === wanted)) this.#videos.value = wanted;
            await this.#showVideo();
        } catch (error) {
            this.#say(/** @type {Error} */ (error).message);
        }
    }

    async #showVideo() {
        const id = this.#videos.value;
        this.#shown = "";
        try {
            const manifest = await api.manifest(id);
            if (id !== this.#videos.value) return;
            const options = manifest.chunks.map(
                (chunk) => new Option(`${chunk.sequence_num + 1} of ${manifest.total_chunks}`, chunk.chunk_id));
            this.#chunks.replaceChildren(...options);
            this.#chunks.disabled = options.length === 0;
            if (options.length === 0) return this.#say("No chunk of this video is committed yet.");
            await this.#showChunk();
        } catch (error) {
            this.#say(/** @type {Error} */ (error).message);
        }
    }

    async #showChunk() {
        this.#shown = this.#chunks.value;
        this.#last = "";
        await this.#refresh();
    }

    async #refresh() {
        const id = this.#shown;
        try {
            const consensus = await api.consensus(id);
            if (id === this.#shown) this.#show(consensus);
        } catch (error) {
            if (id === this.#shown) this.#say(/** @type {Error} */ (error).message);
        }
    }

    /** @param {string} text */
    #say(text) {
        setText(this.#notice, text);
        this.#notice.hidden = false;
        this.#body.hidden = true;
        this.#phase.textContent = "";
        this.#last = "";
    }

    /** @param {api.Consensus} consensus */
    #show(consensus) {
        const text = JSON.stringify(consensus);
        if (text === this.#last) return;
        this.#last = text;
        this.#notice.hidden = true;
        this.#body.hidden = false;
        this.#phase.dataset.phase = consensus.phase;
        setText(this.#phase, PHASES[consensus.phase] ?? consensus.phase);
        this.#facts.replaceChildren(...facts(consensus));
        this.#acceptors.replaceChildren(...consensus.acceptors.map(acceptor));
    }
}

/** @param {api.Consensus} consensus */
function facts(consensus) {
    /** @type {[string, string | HTMLElement][]} */
    const pairs = [
        ["Chunk", code(consensus.chunk_id)],
        ["Placement group", code(consensus.group)],
        ["Quorum", `${consensus.quorum} of ${consensus.acceptors.length} acceptors`],
    ];
    const value = consensus.acceptors.find((one) => one.accepted_value && !one.error)?.accepted_value;
    if (value) {
        const place = `place ${value.sequence} of “${value.stream}”`;
        pairs.push(["Value", `${bytes(value.size_bytes)}, ${place}, on ${value.nodes.join(", ")}`]);
        pairs.push(["Checksum", code(value.checksum)]);
    }
    return pairs.map(([name, content]) => element("div", {}, element("dt", {}, name), element("dd", {}, content)));
}

/** @param {api.ConsensusAcceptor} one */
function acceptor(one) {
    const present = one.present_acceptor_id;
    const isReplaced = Boolean(present && one.acceptor_id && present !== one.acceptor_id);
    const status = !one.error ? "healthy" : isReplaced ? "degraded" : "down";
    /** @type {[string, string | HTMLElement][]} */
    const rows = [["Identity", one.acceptor_id ? short(one.acceptor_id) : "not known"]];
    if (present && isReplaced) rows.push(["Disk now", short(present)]);
    rows.push(
        ["Version", String(one.version ?? "–")],
        ["Promised", one.promised_ballot ? code(one.promised_ballot) : "–"],
        ["Accepted", one.accepted_ballot ? code(one.accepted_ballot) : "–"],
        ["Value", one.accepted_value ? shortDigest(one.accepted_value.checksum) : "–"],
        ["Bytes held", one.stored_checksum ? shortDigest(one.stored_checksum) : "none"]);
    const list = element(
        "dl", {}, ...rows.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
    const card = element(
        "li", { className: "acceptor" },
        element("h3", {}, element("span", { className: "dot", dataset: { status } }), one.node_id));
    if (one.error) card.append(element("p", { className: "acceptor-error" }, sentence(one.error)));
    card.append(list);
    return card;
}

/** @param {string} text */
const code = (text) => element("span", { className: "code" }, text);

/**
 * The beginning of something long; the whole is the tooltip.
 * @param {string} text
 */
const short = (text) => element("span", { className: "code", title: text }, `${text.slice(0, 12)}…`);

/** @param {string} checksum */
const shortDigest = (checksum) => short(checksum.replace("sha256:", ""));

/** @param {string} text */
const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;
