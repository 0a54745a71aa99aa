// What a studio's script does first, written with the types that openapi-typescript makes of the document.
// Usage: node main_job.js ADDRESS KEY SERVER_TOKEN ARCHIVE IMAGE
import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import createClient from "openapi-fetch";
import type { components, paths } from "./slipway.js";

const [address = "", key = "", token = "", archiveFile = "", imageFile = ""] = process.argv.slice(2);
const archive = readFileSync(archiveFile);
const image = readFileSync(imageFile);
const studio = createClient<paths>({ baseUrl: address, headers: { Authorization: `Bearer ${key}` } });
const server = createClient<paths>({ baseUrl: address, headers: { Authorization: `Bearer ${token}` } });
const game = { path: { slug: "paper-lanterns" } };

function found<T>(answer: { data?: T; error?: unknown }): T {
  assert.ok(answer.data !== undefined, JSON.stringify(answer.error));
  return answer.data;
}

async function register(): Promise<string> {
  const body: components["schemas"]["GameRegistration"] = {
    title: "Paper Lanterns",
    slug: "paper-lanterns",
    developer: "Kite Works",
    description: "A quiet story about a festival.",
    tags: ["Visual Novel"],
    launcher: "paper-lanterns.sh",
    renpyDir: "PaperLanterns-1.0",
    autoRelease: true,
  };
  const made = found(await studio.POST("/api/partners/games", { body }));
  const again = await studio.POST("/api/partners/games", { body });
  assert.equal(again.error?.error, "slug_taken");
  const read = await studio.GET("/api/partners/games/{slug}", { params: game });
  const header = { "If-Match": read.response.headers.get("ETag") ?? "" };
  const change = { params: { ...game, header }, body: { title: "Paper Lanterns 2" } };
  assert.equal(found(await studio.PATCH("/api/partners/games/{slug}", change)).title, "Paper Lanterns 2");
  assert.equal((await studio.PATCH("/api/partners/games/{slug}", change)).response.status, 412);
  return made.id;
}

async function sendBuilds(): Promise<void> {
  const sent = found(
    await studio.PUT("/api/partners/games/{slug}/upload", {
      params: game,
      body: "",
      bodySerializer: () => archive,
      headers: { "Content-Type": "application/gzip" },
    }),
  );
  assert.equal(sent.checksum, `sha256:${createHash("sha256").update(archive).digest("hex")}`);
  const begun = found(
    await studio.POST("/api/partners/games/{slug}/uploads", {
      params: game,
      body: { fileName: "a.tar.gz", size: archive.length },
    }),
  );
  assert.equal((await fetch(begun.urls[0]?.url ?? "", { method: "PUT", body: archive })).status, 200);
  const builds = found(await studio.GET("/api/partners/games/{slug}/builds", { params: game }));
  assert.ok(Math.abs(Date.parse(builds.builds[0]?.createdAt ?? "") - Date.now()) < 3_600_000);
  const download = await studio.GET("/api/partners/games/{slug}/builds/{number}/download", {
    params: { path: { slug: "paper-lanterns", number: 1 } },
    parseAs: "arrayBuffer",
  });
  assert.deepEqual(Buffer.from(found(download)), archive);
}

async function showImages(gameId: string): Promise<void> {
  const params = { path: { game_id: gameId } };
  assert.equal(found(await studio.GET("/api/v1/games")).games[0]?.id, gameId);
  const digest = createHash("sha256").update(image).digest("base64");
  const announced = { contentType: "image/png", byteSize: image.length } as const;
  const presigned = found(
    await studio.POST("/api/v1/games/{game_id}/assets/presign", {
      params,
      body: { ...announced, fileName: "card.png", checksum: `sha256-${digest}` },
    }),
  );
  const headers = { "Content-Type": presigned.contentType };
  assert.equal((await fetch(presigned.signedUrl, { method: "PUT", body: image, headers })).status, 200);
  const { key, publicUrl } = presigned;
  const confirm = { params, body: { ...announced, key, publicUrl } };
  assert.ok(found(await studio.POST("/api/v1/games/{game_id}/assets/upload-complete", confirm)).ok);
  const assets = found(await studio.GET("/api/v1/games/{game_id}/assets", { params }));
  const createdAt: number | undefined = assets.assets[0]?.createdAt;
  assert.ok(createdAt !== undefined && createdAt > 1_700_000_000_000);
  const face = { sideKey: "front", key, sourceUrl: publicUrl, contentType: "image/png", widthPx: 75, heightPx: 105 };
  const body = { kind: "tile" as const, name: "My Card", externalKey: "my-card-001", assets: [face] };
  const saved = found(await studio.POST("/api/v1/games/{game_id}/components", { params, body }));
  assert.ok(saved.payload.imageFaces["front"]);
  const side = { params: { path: { game_id: gameId, component_id: saved.id, side_key: "front" } } };
  const cleared = await studio.DELETE("/api/v1/games/{game_id}/components/{component_id}/sides/{side_key}", side);
  assert.equal(cleared.response.status, 204);
}

async function report(): Promise<void> {
  assert.equal(found(await server.GET("/api/servers/self/plan")).builds[0]?.build, 1);
  const receipt = await server.POST("/api/servers/self/reports", {
    body: {
      bootId: "boot-1",
      sequence: 1,
      health: { status: "ok", containers: 0, cpu_percent: 1.5, memory_percent: 20, disk_percent: 30 },
      disk: { totalBytes: 1e12, freeBytes: 1e11, floorBytes: 1e10 },
    },
  });
  assert.ok(found(receipt).accepted);
}

const gameId = await register();
await sendBuilds();
await showImages(gameId);
await report();
