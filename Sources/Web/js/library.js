/** The library: a page of videos at a time, kept fresh while somebody looks. */

import * as api from "./api.js";
import { Card } from "./card.js";
import { byId, setText } from "./dom.js";
import { counted } from "./format.js";

/** @typedef {import("./api.js").Video} Video */

const PAGE_SIZE = 24;
/** The most that one refresh asks for: the API's own limit. Cards beyond it are refreshed when the page is reloaded. */
const REFRESH_MAX = 1000;
const REFRESH_MILLISECONDS = 15_000;
/** While something is on its way in. */
const REFRESH_MILLISECONDS_BUSY = 2_000;

export class Library {
    #grid = byId("library", HTMLUListElement);
    #empty = byId("library-empty", HTMLElement);
    #more = byId("load-more", HTMLButtonElement);
    #count = byId("library-count", HTMLElement);
    #announcer = byId("library-announcer", HTMLElement);
    /** @type {Map<string, Card>} in the order of the grid */
    #cards = new Map();
    #shownMax = PAGE_SIZE;
    #config;
    #onFault;
    #onDelete;
    #timer = 0;
    /** @type {Promise<void> | null} */
    #loading = null;
    #isStale = false;

    /**
     * @param {import("./api.js").Config} config
     * @param {(fault: string | null) => void} onFault told why the list cannot be had; null when it can
     * @param {(video: Video) => Promise<boolean>} onDelete asked to delete; says whether it is gone
     */
    constructor(config, onFault, onDelete) {
        this.#config = config;
        this.#onFault = onFault;
        this.#onDelete = onDelete;
        this.#more.addEventListener("click", () => this.#loadMore());
        document.addEventListener("visibilitychange", () => {
            if (!document.hidden) void this.refresh();
        });
    }

    /** @param {number | null} total of the system, as far as it is known */
    showTotal(total) {
        setText(this.#count, total ? counted(total, "video") : "");
    }

    /**
     * @param {string} id
     * @returns {Video | undefined}
     */
    find(id) {
        return this.#cards.get(id)?.video;
    }

    /** Brings the shown part up to date. Calls that come while one is under way are served together by one more. */
    refresh() {
        this.#isStale = true;
        this.#loading ??= this.#load().finally(() => (this.#loading = null));
        return this.#loading;
    }

    async #load() {
        clearTimeout(this.#timer);
        while (this.#isStale) {
            this.#isStale = false;
            try {
                const shownMax = this.#shownMax;
                // One more than is shown tells whether there is more.
                const videos = await api.videos(Math.min(shownMax + 1, REFRESH_MAX), 0);
                if (shownMax !== this.#shownMax) {
                    // "Load more" came in between: this answer is too short.
                    this.#isStale = true;
                    continue;
                }
                this.#show(videos.slice(0, shownMax), this.#tail());
                if (shownMax < REFRESH_MAX) this.#more.hidden = videos.length <= shownMax;
                this.#onFault(null);
            } catch (error) {
                this.#onFault(/** @type {Error} */ (error).message);
            }
            this.#grid.setAttribute("aria-busy", "false");
        }
        this.#scheduleRefresh();
    }

    /** @returns {Video[]} what is shown beyond the part that a refresh brings */
    #tail() {
        return [...this.#cards.values()].slice(REFRESH_MAX).map((card) => card.video);
    }

    #scheduleRefresh() {
        const isBusy = [...this.#cards.values()].some((card) => card.isUnfinished);
        const wait = isBusy ? REFRESH_MILLISECONDS_BUSY : REFRESH_MILLISECONDS;
        this.#timer = setTimeout(() => {
            if (!document.hidden) void this.refresh();
        }, wait);
    }

    async #loadMore() {
        this.#more.disabled = true;
        const shown = [...this.#cards.values()].map((card) => card.video);
        try {
            const next = await api.videos(PAGE_SIZE + 1, shown.length);
            const page = next.slice(0, PAGE_SIZE);
            this.#shownMax = shown.length + page.length;
            this.#show(shown, page);
            this.#more.hidden = next.length <= PAGE_SIZE;
            setText(this.#announcer, `${counted(page.length, "more video")} shown`);
            this.#cards.get(page[0]?.video_id)?.focus();
            this.#onFault(null);
        } catch (error) {
            this.#onFault(/** @type {Error} */ (error).message);
        }
        this.#more.disabled = false;
    }

    /**
     * Makes the grid show exactly these, keeping the cards that stay: focus and pictures are not lost.
     * @param {Video[]} videos
     * @param {Video[]} more
     */
    #show(videos, more) {
        const wanted = new Map([...videos, ...more].map((video) => [video.video_id, video]));
        for (const [id, card] of this.#cards) {
            if (!wanted.has(id)) card.element.remove();
        }
        /** @type {Map<string, Card>} */
        const cards = new Map();
        let place = this.#grid.firstElementChild;
        for (const [id, video] of wanted) {
            if (video.status === "deleted") continue;
            const card = this.#cards.get(id) ?? this.#makeCard(video);
            card.update(video);
            cards.set(id, card);
            if (card.element === place) place = place.nextElementSibling;
            else this.#grid.insertBefore(card.element, place);
        }
        this.#cards = cards;
        this.#empty.hidden = cards.size > 0;
    }

    /** @param {Video} video */
    #makeCard(video) {
        const thumbnail = api.addresses(this.#config, video.video_id).thumbnail;
        return new Card(video, thumbnail, async (current) => {
            if (!(await this.#onDelete(current))) return;
            const card = this.#cards.get(current.video_id);
            const neighbour = card?.element.nextElementSibling ?? card?.element.previousElementSibling;
            card?.element.remove();
            this.#cards.delete(current.video_id);
            const next = [...this.#cards.values()].find((other) => other.element === neighbour);
            if (next) next.focus();
            else byId("library-heading", HTMLElement).focus();
            setText(this.#announcer, "The video is deleted");
            void this.refresh();
        });
    }
}
