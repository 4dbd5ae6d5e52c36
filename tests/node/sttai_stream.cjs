// STT.ai's own client, unmodified, live: node sttai_stream.cjs URL KEY FILE, the file being 16-bit
// samples of 16 kHz
const fs = require("fs");
const [baseUrl, apiKey, file] = process.argv.slice(2);
const { STTClient } = require("@sttainpm/sttai");

const client = new STTClient({ apiKey, baseUrl });
const found = { kinds: [], partials: [], transcripts: [], closed: false };
const stream = client.stream(null, { language: "en", model: "large-v3-turbo" });
stream.on("message", (message) => found.kinds.push(message.type));
stream.on("partial", (message) => found.partials.push(message.text));
stream.on("transcript", (message) => {
  found.transcripts.push(message.text);
  if (message.is_final) stream.close();
});
stream.on("error", (error) => {
  throw error;
});
stream.on("close", () => {
  found.closed = true;
  console.log(JSON.stringify(found));
});
stream.on("open", () => {
  const samples = fs.readFileSync(file);
  for (let at = 0; at < samples.length; at += 3200) stream.send(samples.subarray(at, at + 3200));
  stream.send(JSON.stringify({ action: "stop" }));
});
