/**
 * Reading HLS playlists (RFC 8216): as much as an origin of CMAF segments needs. Pure: text in, values out.
 *
 * @typedef {object} ByteRange
 * @property {number} offset
 * @property {number} length
 *
 * @typedef {object} Part
 * @property {string} url
 * @property {ByteRange | null} range null for the whole of the resource
 *
 * @typedef {Part & {start: number, end: number}} Segment times in seconds from the beginning
 *
 * @typedef {object} Variant
 * @property {string} url of its media playlist
 * @property {number} bandwidth peak bits per second
 * @property {string} codecs RFC 6381, empty when the playlist does not say
 * @property {string} resolution such as `1920x1080`, empty when the playlist does not say
 * @property {string} audioGroup of sounds that are streams of their own; empty when its sound is in it
 *
 * @typedef {object} Sound a stream of sound alone
 * @property {string} group
 * @property {string} url of its media playlist
 *
 * @typedef {object} Master
 * @property {Variant[]} variants in the playlist's order, at least one
 * @property {Sound[]} sounds
 *
 * @typedef {object} MediaPlaylist
 * @property {Part} init
 * @property {Segment[]} segments
 * @property {number} duration seconds
 */

/** A playlist that cannot be understood. */
export class PlaylistError extends Error {}

/**
 * @param {string} text
 * @param {string} url where it came from, for relative addresses
 * @returns {Master}
 */
export function parseMaster(text, url) {
    const lines = linesOf(text);
    /** @type {Variant[]} */
    const variants = [];
    /** @type {Sound[]} */
    const sounds = [];
    for (const [index, line] of lines.entries()) {
        if (line.startsWith("#EXT-X-MEDIA:")) {
            const attributes = attributesOf(line);
            const address = attributes.get("URI");
            const isSound = attributes.get("TYPE") === "AUDIO" && address;
            if (isSound) sounds.push({ group: attributes.get("GROUP-ID") ?? "", url: new URL(address, url).href });
        }
        if (!line.startsWith("#EXT-X-STREAM-INF:")) continue;
        const attributes = attributesOf(line);
        const address = lines.slice(index + 1).find((next) => !next.startsWith("#"));
        if (!address) throw new PlaylistError("The master playlist ends before the address of a variant.");
        variants.push({
            url: new URL(address, url).href,
            bandwidth: Number(attributes.get("BANDWIDTH")) || 0,
            codecs: attributes.get("CODECS") ?? "",
            resolution: attributes.get("RESOLUTION") ?? "",
            audioGroup: attributes.get("AUDIO") ?? "",
        });
    }
    if (variants.length === 0) throw new PlaylistError("The master playlist names no stream.");
    return { variants, sounds };
}

/**
 * @param {string} text
 * @param {string} url where it came from, for relative addresses
 * @returns {MediaPlaylist}
 */
export function parseMedia(text, url) {
    /** @type {Part | null} */
    let init = null;
    /** @type {Segment[]} */
    const segments = [];
    /** @type {ByteRange | null} */
    let range = null;
    let rangeEnd = 0;
    let duration = 0;
    let start = 0;
    for (const line of linesOf(text)) {
        if (line.startsWith("#EXT-X-MAP:")) {
            const attributes = attributesOf(line);
            const address = attributes.get("URI");
            if (!address) throw new PlaylistError("The playlist's initialization segment has no address.");
            init = { url: new URL(address, url).href, range: rangeOf(attributes.get("BYTERANGE"), 0) };
        } else if (line.startsWith("#EXTINF:")) {
            duration = Number.parseFloat(line.slice(8));
        } else if (line.startsWith("#EXT-X-BYTERANGE:")) {
            range = rangeOf(line.slice(17), rangeEnd);
        } else if (!line.startsWith("#")) {
            if (!(duration > 0)) throw new PlaylistError(`Segment ${segments.length} of the playlist has no duration.`);
            segments.push({ url: new URL(line, url).href, range, start, end: start + duration });
            start += duration;
            rangeEnd = range ? range.offset + range.length : 0;
            range = null;
            duration = 0;
        }
    }
    if (!init) throw new PlaylistError("The playlist names no initialization segment.");
    if (segments.length === 0) throw new PlaylistError("The playlist names no segment.");
    // The lengths are rounded to microseconds each: their sum may be a hair short of 30 s, which shows as 0:29.
    return { init, segments, duration: Math.round(start * 1000) / 1000 };
}

/**
 * @param {string} text
 * @returns {string[]} what is neither empty nor the first line
 */
function linesOf(text) {
    const lines = text.split(/\r?\n/).map((line) => line.trim()).filter(Boolean);
    if (lines.shift() !== "#EXTM3U") throw new PlaylistError("This is not an HLS playlist.");
    return lines;
}

/**
 * The attribute list of a tag; commas inside quotes do not divide it.
 * @param {string} line
 * @returns {Map<string, string>}
 */
function attributesOf(line) {
    const list = line.slice(line.indexOf(":") + 1);
    const matches = list.matchAll(/([A-Z0-9-]+)=("([^"]*)"|[^",]*)/g);
    return new Map([...matches].map((match) => [match[1], match[3] ?? match[2]]));
}

/**
 * @param {string | undefined} text `length[@offset]`
 * @param {number} follows the offset when the text has none
 * @returns {ByteRange | null}
 */
function rangeOf(text, follows) {
    if (!text) return null;
    const [length, offset] = text.split("@").map(Number);
    if (!(length > 0)) throw new PlaylistError("A byte range of the playlist is malformed.");
    return { offset: offset ?? follows, length };
}
