"use strict";

const MASTER = "/package/master.m3u8";
const at = (id) => document.getElementById(id);
const film = at("film");

function tell(words) {
  const line = document.createElement("li");
  line.textContent = words;
  at("troubles").append(line);
}

// A menu's entries are names, and its values their places in the player's list; -1 stands first.
function fill(id, first, names) {
  const entries = first === null ? [] : [new Option(first, -1)];
  at(id).replaceChildren(...entries, ...names.map((name, place) => new Option(name, place)));
  at(id).closest("label").hidden = !names.length;
}

function holdsWhatComes() {
  const {buffered, currentTime} = film;
  return Array.from({length: buffered.length}, (_, place) => place).some((place) =>
    buffered.start(place) <= currentTime && currentTime + 0.2 < buffered.end(place));
}

function chosen(id, act) {
  at(id).addEventListener("change", (event) => act(Number(event.target.value)));
}

function rungName(level) {
  const size = level.width ? `${level.width}×${level.height}` : "sound alone";
  return `${size}, ${(level.bitrate / 1e6).toFixed(2)} Mbit/s, ${level.videoCodec ?? level.audioCodec}`;
}

function clock(seconds) {
  const whole = Math.floor(seconds);
  const two = (number) => String(number).padStart(2, "0");
  return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`
    + `.${String(Math.floor(seconds * 1000) % 1000).padStart(3, "0")}`;
}

function bufferedAhead() {
  for (let n = 0; n < film.buffered.length; n += 1) {
    if (film.buffered.start(n) <= film.currentTime && film.currentTime <= film.buffered.end(n)) {
      return film.buffered.end(n) - film.currentTime;
    }
  }
  return 0;
}

function showTimes() {
  at("time").textContent = `${clock(film.currentTime)} of ${clock(film.duration || 0)}`;
  at("buffer").textContent = `${bufferedAhead().toFixed(1)} s ahead`;
  const quality = film.getVideoPlaybackQuality();
  at("lost").textContent = `${quality.droppedVideoFrames} of ${quality.totalVideoFrames}`;
}

const base64 = (bytes) => btoa(String.fromCharCode(...bytes))
  .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

// Common Encryption is undone by the browser (EME, Clear Key), in the element; hls.js, which would
// refuse it, is not told. Whole segments (AES-128) it decrypts itself, with the key from here.
async function unlock({listing}) {
  const key = new Uint8Array(await (await fetch("/key")).arrayBuffer());
  const {encryption} = listing ? await (await fetch(`/package/${listing}`)).json() : {};
  if (encryption?.key_id) {
    const id = base64(encryption.key_id.match(/../g).map((digits) => parseInt(digits, 16)));
    const access = await navigator.requestMediaKeySystemAccess("org.w3.clearkey", [{
      initDataTypes: ["keyids"],
      audioCapabilities: [{contentType: 'audio/mp4; codecs="mp4a.40.2"', encryptionScheme: "cbcs"}],
    }]);
    const keys = await access.createMediaKeys();
    await film.setMediaKeys(keys);
    const session = keys.createSession();
    const licensed = new Promise((done) => session.addEventListener("message", done));
    const encode = (words) => new TextEncoder().encode(JSON.stringify(words));
    await session.generateRequest("keyids", encode({kids: [id]}));
    await licensed;
    await session.update(encode({keys: [{kty: "oct", kid: id, k: base64(key)}]}));
  }
  const Loader = Hls.DefaultConfig.loader;
  return {
    pLoader: class extends Loader {
      load(context, config, callbacks) {
        super.load(context, config, {...callbacks, onSuccess: (response, ...others) => {
          response.data = response.data.replace(/^#EXT-X-KEY:.*METHOD=SAMPLE-AES,.*$/gm, "");
          callbacks.onSuccess(response, ...others);
        }});
      }
    },
    loader: class extends Loader {
      load(context, config, callbacks) {
        if (!context.keyInfo) {
          super.load(context, config, callbacks);
          return;
        }
        // hls.js finds what it asked for by the address in the playlist.
        super.load({...context, url: "/key"}, config, {...callbacks, onSuccess: (...told) =>
          callbacks.onSuccess(told[0], told[1], context, ...told.slice(3))});
      }
    },
  };
}

function playByHlsJs(config) {
  const hls = new Hls(config);
  hls.on(Hls.Events.MANIFEST_PARSED, () => {
    fill("quality", "Automatic", hls.levels.map(rungName));
  });
  const named = (tracks) => tracks.map((track) =>
    [...new Set([track.name, track.lang])].filter(Boolean).join(", "));
  hls.on(Hls.Events.SUBTITLE_TRACKS_UPDATED, () => {
    fill("captions", "Off", named(hls.subtitleTracks));
    at("captions").value = hls.subtitleTrack;
  });
  hls.on(Hls.Events.AUDIO_TRACKS_UPDATED, () => fill("sound", null, named(hls.audioTracks)));
  hls.on(Hls.Events.AUDIO_TRACK_SWITCHED, () => { at("sound").value = hls.audioTrack; });
  hls.on(Hls.Events.LEVEL_SWITCHED, (_, {level}) => {
    at("shown").textContent = rungName(hls.levels[level]);
  });
  hls.on(Hls.Events.ERROR, (_, told) => {
    const seekEndedIt = told.details === Hls.ErrorDetails.INTERNAL_ABORTED;
    // The picture stands still though the film is there: a slow machine, no trouble of the package.
    const isSlow = told.details === Hls.ErrorDetails.BUFFER_STALLED_ERROR && holdsWhatComes();
    if (!seekEndedIt && !isSlow) tell(failure(told));
  });
  chosen("quality", (place) => { hls.nextLevel = place; });
  chosen("captions", (place) => { hls.subtitleTrack = place; });
  chosen("sound", (place) => { hls.audioTrack = place; });
  hls.loadSource(MASTER);
  hls.attachMedia(film);
}

function failure(told) {
  if (/^key/.test(told.details)) {
    return "The package is encrypted, and this page asks no other host for keys: give its key, as "
      + `in longtake play PACKAGE --key-file FILE. (${told.details})`;
  }
  const where = told.frag?.url ?? told.url ?? told.context?.url ?? "";
  const words = told.error?.message ?? told.reason ?? "";
  return `${clock(film.currentTime)} ${told.details}: ${words} ${where}`;
}

// The storyboard is a WebVTT file whose cues name parts of pictures: storyboard-01.jpg#xywh=0,0,160,90
async function storyboard(address) {
  const text = await (await fetch(address)).text();
  const cue = /(\d+):(\d+):([\d.]+) --> .*\n(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)/g;
  const pictures = Array.from(text.matchAll(cue), ([, h, m, s, name, ...box]) => ({
    start: h * 3600 + m * 60 + Number(s), url: new URL(name, new URL(address, location)), box,
  }));
  if (!pictures.length) return;
  const strip = at("strip");
  strip.hidden = false;
  const seconds = (event) => {
    const {left, width} = strip.getBoundingClientRect();
    return Math.min(Math.max((event.clientX - left) / width, 0), 1) * (film.duration || 0);
  };
  strip.addEventListener("pointermove", (event) => point(pictures, seconds(event)));
  strip.addEventListener("pointerleave", () => { at("thumbnail").hidden = true; });
  strip.addEventListener("click", (event) => { film.currentTime = seconds(event); });
}

function point(pictures, seconds) {
  const {url, box: [x, y, width, height]} = pictures.findLast((each) => each.start <= seconds)
    ?? pictures[0];
  const [thumbnail, room] = [at("thumbnail"), at("strip").clientWidth];
  const place = seconds / (film.duration || 1) * room;
  Object.assign(thumbnail.style, {
    backgroundImage: `url("${url}")`, backgroundPosition: `-${x}px -${y}px`,
    width: `${width}px`, height: `${height}px`,
    left: `${Math.min(Math.max(place - width / 2, 0), room - width)}px`,
  });
  thumbnail.hidden = false;
  at("pointed").textContent = clock(seconds);
  at("pointed").style.left = `${Math.min(place, room - 100)}px`;
}

async function main() {
  for (const id of ["quality", "captions", "sound"]) fill(id, null, []);
  film.addEventListener("error", () => tell(`The browser gave up: ${film.error.message}`));
  setInterval(showTimes, 100);
  const about = await (await fetch("/about.json")).json();
  at("title").textContent = document.title = about.title;
  if (about.poster) film.poster = `/package/${about.poster}`;
  if (Hls.isSupported()) {
    playByHlsJs(about.key ? await unlock(about) : {});
  } else if (film.canPlayType("application/vnd.apple.mpegurl")) {
    film.src = MASTER;  // Safari on a phone plays HLS itself, and chooses itself
  } else {
    tell("This browser can play neither HLS nor media that a page feeds to it.");
  }
  if (about.storyboard) await storyboard(`/package/${about.storyboard}`);
}

main();
