"""What a page complains about and asks for, behind a test's back."""

from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, WebError


class Watch:
    def __init__(self, context: BrowserContext, allowed: list[str]) -> None:
        self._origins = set(allowed)
        self._expected: list[str] = []
        self._complaints: list[str] = []
        self.foreign: list[str] = []
        context.on("console", self._on_console)
        context.on("weberror", self._on_error)
        context.on("request", self._on_request)

    def expect(self, complaint: str) -> None:
        """A complaint with these words in it is part of the test: Chromium reports every answer of 400 and above."""
        self._expected.append(complaint)

    def assert_in_order(self) -> None:
        unexpected = [text for text in self._complaints if not any(words in text for words in self._expected)]
        assert not unexpected, f"the browser's console: {unexpected}"
        assert not self.foreign, f"requests to other sites: {self.foreign}"

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._complaints.append(message.text)

    def _on_error(self, error: WebError) -> None:
        self._complaints.append(str(error.error))

    def _on_request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in ("http", "https", "ws", "wss") and f"{address.scheme}://{address.netloc}" not in self._origins:
            self.foreign.append(request.url)
