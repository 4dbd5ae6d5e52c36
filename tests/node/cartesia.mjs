// Cartesia's own client, unmodified: node cartesia.mjs URL KEY FILE PCM
import fs from "node:fs";
import Cartesia, { toFile } from "@cartesia/cartesia-js";

const [url, key, file, pcm] = process.argv.slice(2);
const client = new Cartesia({ baseURL: url, apiKey: key });
const words = await client.stt.transcribe({
  file: fs.createReadStream(file),
  model: "ink-whisper",
  language: "en",
  timestamp_granularities: ["word"],
});
const raw = await client.stt.transcribe({
  file: await toFile(fs.readFileSync(pcm), "audio.raw"),
  model: "ink-whisper-2025-06-04",
  encoding: "pcm_s16le",
  sample_rate: 16000,
});
const { token } = await client.accessToken.create({ expires_in: 60, grants: { stt: true } });
const guest = new Cartesia({ baseURL: url, token });
const byToken = await guest.stt.transcribe({ file: fs.createReadStream(file), model: "ink-whisper" });
const status = await client.getStatus();
let refused;
try {
  await client.stt.transcribe({ file: fs.createReadStream(file), model: "nobody" });
} catch (error) {
  refused = { kind: error.constructor.name, status: error.status, message: error.message };
}
console.log(JSON.stringify({ words, raw, byToken, status, refused }));
