// Cartesia's own client, unmodified, live: node cartesia_live.cjs URL KEY FILE, the file being
// 16-bit samples of 16 kHz. (As an ES module the client finds no WebSocket before Node 22.)
const fs = require("node:fs");
const { Cartesia } = require("@cartesia/cartesia-js");

const [url, key, file] = process.argv.slice(2);
const client = new Cartesia({ baseURL: url, apiKey: key });
const samples = fs.readFileSync(file);
const format = { encoding: "pcm_s16le", sample_rate: 16000 };

async function hear(socket, finish) {
  const found = { kinds: [], text: "" };
  for await (const event of socket.stream()) {
    if (event.type === "error") throw event.error;
    if (event.type === "open") {
      for (let at = 0; at < samples.length; at += 3200) socket.sendRaw(samples.subarray(at, at + 3200));
      socket.sendRaw(Buffer.alloc(32000));
      socket.send(finish);
    }
    if (event.type === "message") {
      const message = event.message;
      found.kinds.push(message.type);
      if (message.type === "transcript" && message.is_final) found.text += message.text;
      if (message.type === "turn.end") found.text += message.transcript;
    }
    if (event.type === "close") break;
  }
  return found;
}

async function main() {
  const manual = client.stt.manualFinalize.websocket({ ...format, model: "ink-whisper" });
  const turns = client.stt.autoFinalize.websocket({ ...format, model: "ink-2" });
  const found = { manual: await hear(manual, "close"), turns: await hear(turns, { type: "close" }) };
  console.log(JSON.stringify(found));
}

main();
