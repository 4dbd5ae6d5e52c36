// STT.ai's own client, unmodified, with node-fetch as its fetch or without:
// node sttai.cjs URL KEY FILE node-fetch|built-in
const [baseUrl, apiKey, file, how] = process.argv.slice(2);

async function main() {
  if (how === "node-fetch") globalThis.fetch = (await import("node-fetch")).default;
  const { STTClient } = require("@sttainpm/sttai");
  const client = new STTClient({ apiKey, baseUrl });
  let result, refused;
  try {
    result = await client.transcribe(file, { diarize: true, language: "en" });
  } catch (error) {
    refused = { kind: error.constructor.name, message: error.message };
  }
  const models = await client.models();
  const languages = await client.languages();
  const health = await client.health();
  console.log(JSON.stringify({ result, refused, models, languages, health }));
}

main();
