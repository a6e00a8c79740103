import Base
import HTTPTypes

/// The `/docs` page of a role: it reads `/openapi.json`, lists every route, and sends requests to try them.
struct DocumentationPage {
    let service: String

    /// Path and answer of each file the page is made of.
    var assets: [(path: String, response: Response)] {
        [
            ("/docs", answer(page, "text/html; charset=utf-8")),
            ("/docs/style.css", answer(Self.style, "text/css; charset=utf-8")),
            ("/docs/docs.js", answer(Self.script, "text/javascript; charset=utf-8")),
        ]
    }

    private func answer(_ text: String, _ type: String) -> Response {
        var response = Response.text(text, contentType: type)
        response.headers.add("Content-Security-Policy", "default-src 'self'")
        response.headers.add("X-Content-Type-Options", "nosniff")
        return response
    }

    private var page: String {
        """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>\(service) · V-Stack API</title>
        <link rel="stylesheet" href="/docs/style.css">
        </head>
        <body>
        <header><h1>\(service)</h1><p>V-Stack \(Version.current) · <a href="/openapi.json">openapi.json</a></p></header>
        <main id="routes"><noscript>This page needs JavaScript; <a href="/openapi.json">openapi.json</a> does not.</noscript></main>
        <script type="module" src="/docs/docs.js"></script>
        </body>
        </html>

        """
    }

    private static let style = """
        :root { color-scheme: light dark; --line: #8884; --accent: #3563e9; }
        body { font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 0 auto; padding: 1.5rem; }
        h1 { margin: 0; font-size: 1.5rem; }
        header p { margin: .2rem 0 1.5rem; opacity: .75; }
        details { border: 1px solid var(--line); border-radius: .5rem; margin: .5rem 0; }
        summary { padding: .6rem .8rem; cursor: pointer; display: flex; gap: .8rem; align-items: baseline; flex-wrap: wrap; }
        summary b { min-width: 4.5rem; color: var(--accent); }
        summary span { opacity: .75; }
        form { padding: 0 .8rem .8rem; display: grid; gap: .5rem; }
        label { display: grid; gap: .2rem; font-size: .85rem; }
        input, textarea, button { font: inherit; padding: .4rem .6rem; border: 1px solid var(--line); border-radius: .3rem; }
        textarea { min-height: 5rem; font-family: ui-monospace, monospace; }
        button { justify-self: start; background: var(--accent); color: #fff; border: 0; cursor: pointer; }
        pre { background: #8881; padding: .6rem; border-radius: .3rem; overflow: auto; max-height: 24rem; margin: 0; }

        """

    private static let script = """
        const element = (tag, properties = {}, ...children) => {
          const made = Object.assign(document.createElement(tag), properties);
          made.append(...children);
          return made;
        };

        const route = (path, method, operation) => {
          const inputs = operation.parameters.map((parameter) => element("input", { name: parameter.name, required: true }));
          const query = element("input", { placeholder: "limit=10" });
          const body = element("textarea");
          const output = element("pre", { hidden: true });
          const form = element("form", {},
            ...inputs.map((input) => element("label", {}, input.name, input)),
            element("label", {}, "query", query),
            ...(["post", "put", "patch"].includes(method) ? [element("label", {}, "body (JSON)", body)] : []),
            element("button", { textContent: "Send" }), output);
          form.addEventListener("submit", async (event) => {
            event.preventDefault();
            let url = path;
            for (const input of inputs) url = url.replace(`{${input.name}}`, encodeURIComponent(input.value));
            if (query.value) url += "?" + query.value;
            output.hidden = false;
            output.textContent = "…";
            try {
              const options = body.value ? { body: body.value, headers: { "Content-Type": "application/json" } } : {};
              const answer = await fetch(url, { method: method.toUpperCase(), ...options });
              const text = await answer.text();
              let shown = text.slice(0, 20000);
              try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON: shown as it is */ }
              output.textContent = `${answer.status} ${answer.statusText}\\n\\n${shown}`;
            } catch (error) {
              output.textContent = `no answer: ${error.message}`;
            }
          });
          return element("details", {},
            element("summary", {}, element("b", { textContent: method.toUpperCase() }), element("code", { textContent: path }),
              element("span", { textContent: operation.summary })), form);
        };

        const description = await (await fetch("/openapi.json")).json();
        document.querySelector("#routes").replaceChildren(
          ...Object.entries(description.paths).flatMap(([path, methods]) =>
            Object.entries(methods).map(([method, operation]) => route(path, method, operation))));

        """
}
