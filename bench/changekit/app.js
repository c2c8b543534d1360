// The same app as tests/e2e/apps, for pm2's cluster mode. It ends politely, as pm2's documentation asks.
const http = require("http");

const VERSION = "v1";

function stream(parts, answer) {
  let number = 0;
  const timer = setInterval(() => {
    if (number === parts) {
      clearInterval(timer);
      answer.end();
    } else {
      answer.write(`part ${number++}\n`);
    }
  }, 100);
}

const server = http.createServer((request, answer) => {
  const url = new URL(request.url, "http://x");
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    answer.setHeader("X-Version", VERSION);
    if (url.pathname === "/stream") {
      stream(Number(url.searchParams.get("parts") || 50), answer);
      return;
    }
    const body = url.pathname === "/echo" ? Buffer.concat(chunks) : Buffer.from(`${VERSION}\n`);
    answer.setHeader("Content-Length", body.length);
    setTimeout(() => answer.end(body), url.pathname === "/slow" ? 2000 : 0);
  });
});

server.listen(Number(process.env.PORT), "127.0.0.1");
process.on("SIGINT", () => server.close(() => process.exit(0)));
