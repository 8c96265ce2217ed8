// The CometD project's own server on a loopback port, with a side path to publish on.
//
//     node cometd-server.cjs PORT '{"timeout": 2000, "maxInterval": 1500}' CHANNEL...
//
// Prints the port that it listens on. POST /publish takes {"channel": ..., "data": ...}; every
// other request is Bayeux. It ends when its standard input does.
'use strict';

const http = require('http');
const cometd = require('cometd-nodejs-server');

const [port, options, ...channels] = process.argv.slice(2);
const server = cometd.createCometDServer(JSON.parse(options));
for (const name of channels) {
    // A channel without a listener is swept away; one whose listener never calls back is stuck.
    server.createServerChannel(name).addListener('message', (session, channel, message, done) => {
        done();
    });
}

function publish(request, response) {
    let text = '';
    request.on('data', (chunk) => {
        text += chunk;
    });
    request.on('end', () => {
        const { channel, data } = JSON.parse(text);
        server.getServerChannel(channel).publish(null, data, () => response.end());
    });
}

const listener = http.createServer((request, response) => {
    if (request.url === '/publish') {
        publish(request, response);
    } else {
        server.handle(request, response); // reads the body itself: it must not be read before
    }
});
listener.listen(Number(port), '127.0.0.1', () => console.log(listener.address().port));
process.stdin.on('end', () => process.exit()).resume();
