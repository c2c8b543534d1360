// A web server in Node: answers with what the service NEXT says (over HTTP), or with a number from STORE (over TCP).
const http = require('http');
const net = require('net');

const agent = new http.Agent({ keepAlive: true });
const next = process.env.NEXT;
const [host, port] = (process.env.STORE || ':').split(':');

function count(done) {
  const socket = net.connect(Number(port), host, () => socket.write('INCR\n'));
  socket.once('data', (data) => { socket.end(); done(200, data); });
  socket.once('error', (error) => done(500, String(error)));
}

function call(done) {
  http.get({ agent, host: next.split(':')[0], port: next.split(':')[1], path: '/' }, (answer) => {
    const parts = [];
    answer.on('data', (part) => parts.push(part));
    answer.on('end', () => done(answer.statusCode, Buffer.concat(parts)));
  }).on('error', (error) => done(500, String(error)));
}

const server = http.createServer((request, response) => {
  const answer = (status, body) => {
    response.writeHead(status, { 'Content-Length': Buffer.byteLength(body), 'X-Version': process.env.COLOUR || 'none' });
    response.end(body);
  };
  if (request.url === '/healthz') answer(200, 'ok');
  else if (next) call(answer);
  else count(answer);
});
server.listen(8000, '0.0.0.0');
process.on('SIGTERM', () => server.close(() => process.exit(0)));
