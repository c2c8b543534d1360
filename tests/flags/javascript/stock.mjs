// Evaluates with the stock OFREP providers, for servers and for browsers, and says what they got, a line each.
import { EventSource } from "eventsource";
import { OpenFeature as Server } from "@openfeature/server-sdk";
import { OFREPProvider } from "@openfeature/ofrep-provider";
import { OpenFeature as Web, ProviderEvents } from "@openfeature/web-sdk";
import { OFREPWebProvider } from "@openfeature/ofrep-web-provider";

globalThis.EventSource = EventSource; // browsers have one; this Node has none yet
const url = process.argv[2];
const say = (what) => console.log(JSON.stringify(what));

await Server.setProviderAndWait(new OFREPProvider({ baseUrl: url }));
const server = Server.getClient();
const users = Array.from({ length: 60 }, (_, number) => ({
  targetingKey: `user-${number}`,
  country: number % 2 ? "DE" : "AT",
}));
const found = [];
for (const user of users) found.push(await server.getBooleanValue("new-button", false, user));
const kinds = [
  await server.getStringValue("title", ""),
  await server.getNumberValue("limit", 0),
  await server.getNumberValue("rate", 0),
  await server.getObjectValue("theme", {}),
  await server.getStringValue("gone", "mine"),
  (await server.getStringDetails("nope", "")).errorCode,
];

await Web.setContext(users[1]);
await Web.setProviderAndWait(new OFREPWebProvider({ baseUrl: url }));
const web = Web.getClient();
web.addHandler(ProviderEvents.ConfigurationChanged, () => {
  say({ changed: web.getStringValue("title", "") });
  process.exit(0);
});
say({ server: found, kinds, web: [web.getBooleanValue("german", false), web.getStringValue("title", "")] });
