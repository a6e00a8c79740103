/** Figures as people read them. */

/**
 * `4:05` or `1:02:03`.
 * @param {number} seconds
 */
export function duration(seconds) {
    const whole = wholeSeconds(seconds);
    const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
    if (parts[0] === 0) parts.shift();
    return parts.map((part, index) => (index ? String(part).padStart(2, "0") : part)).join(":");
}

/**
 * `4 minutes 5 seconds`, for screen readers.
 * @param {number} seconds
 */
export function spokenDuration(seconds) {
    const whole = wholeSeconds(seconds);
    const parts = [
        counted(Math.floor(whole / 3600), "hour"),
        counted(Math.floor(whole / 60) % 60, "minute"),
        counted(whole % 60, "second"),
    ].filter((part) => !part.startsWith("0 "));
    return parts.join(" ") || "0 seconds";
}

/**
 * `58.5 MB`
 * @param {number} count
 */
export function bytes(count) {
    const units = ["B", "kB", "MB", "GB", "TB"];
    let value = count;
    let unit = 0;
    while (value >= 1000 && unit < units.length - 1) {
        value /= 1000;
        unit += 1;
    }
    return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/**
 * `1 view`, `1,204 views`
 * @param {number} count
 * @param {string} noun
 */
export function counted(count, noun) {
    return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

/**
 * `3 minutes ago`
 * @param {string} time RFC 3339
 * @param {number} [now] milliseconds
 */
export function ago(time, now = Date.now()) {
    const seconds = (Date.parse(time) - now) / 1000;
    if (!Number.isFinite(seconds)) return "";
    if (Math.abs(seconds) < 45) return "just now";
    /** @type {[Intl.RelativeTimeFormatUnit, number][]} */
    const units = [["year", 31_556_952], ["month", 2_629_746], ["day", 86_400], ["hour", 3600], ["minute", 60]];
    const [unit, length] = units.find(([, size]) => Math.abs(seconds) >= size) ?? ["minute", 60];
    return new Intl.RelativeTimeFormat("en", { numeric: "auto" }).format(Math.round(seconds / length), unit);
}

/**
 * Rounded, but what is shorter than a second is no nothing.
 * @param {number} seconds
 */
function wholeSeconds(seconds) {
    return seconds > 0 ? Math.max(1, Math.round(seconds)) : 0;
}
