// Plays packages by hls.js and by Shaka Player, and notes what happens. Every function here is
// called by streaming.py; `media`, `happens` and `bars` stand in chromium.py.

const PATIENCE_MS = 60_000;
const troubles = [];
let player;

async function until(holds, what) {
  const giveUp = performance.now() + PATIENCE_MS;
  while (!holds()) {
    if (performance.now() > giveUp) throw new Error(`${what()}; ${state()}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

function held() {
  const ranges = media.buffered;
  return Array.from({length: ranges.length}, (_, n) => [ranges.start(n), ranges.end(n)]);
}

function state() {
  return `at ${media.currentTime} s, ${media.videoWidth}x${media.videoHeight}, ` +
    `buffered ${held().map((range) => range.join("-"))}, troubles: ${troubles}, ${player.tells()}`;
}

class HlsJs {
  async load(address) {
    // Little is held ahead: else the film is whole in the buffer before a rung is switched.
    this.hls = new Hls({startLevel: 0, maxBufferLength: 4, maxMaxBufferLength: 4});
    this.hls.on(Hls.Events.ERROR, (_, told) => {
      if (told.details === Hls.ErrorDetails.INTERNAL_ABORTED) return;  // a seek ended a request
      if (told.details === Hls.ErrorDetails.BUFFER_STALLED_ERROR && !lacksData()) return;
      troubles.push(`hls.js: ${told.details}: ${told.error?.message ?? told.reason}`);
    });
    this.hls.on(Hls.Events.LEVEL_SWITCHED, (_, told) => { this.shown = told.level; });
    this.hls.loadSource(address);
    this.hls.attachMedia(media);
  }
  // A level is a rung with a group of sounds: those with the group that plays. Where all is fetched
  // already, hls.js 1.7 never ends after a change of the group.
  rungs() {
    const [group] = this.hls.levels[this.hls.currentLevel].audioGroups ?? [];
    return this.hls.levels.map((level, id) => ({
      id, width: level.width, height: level.height, codec: level.videoCodec, bps: level.bitrate,
    })).filter(({id}) => group === this.hls.levels[id].audioGroups?.[0]);
  }
  showsRung(rung) { return this.shown === rung.id; }
  chooseNow(rung) { this.hls.currentLevel = rung.id; }
  chooseNext(rung) { this.hls.nextLevel = rung.id; }
  languages() { return this.hls.subtitleTracks.map((track) => track.lang); }
  showCaptions(language) {
    this.hls.subtitleDisplay = true;
    this.hls.subtitleTrack = this.hls.subtitleTracks.findIndex((track) => track.lang === language);
  }
  captions() {
    const track = Array.from(media.textTracks).find((each) => each.mode === "showing");
    return Array.from(track?.activeCues ?? [], (cue) => cue.getCueAsHTML().textContent);
  }
  drawCaptions(drawn) { this.hls.subtitleDisplay = drawn; }
  stalls() { return 0; }  // hls.js tells of each as an error
  tells() { return `level ${this.shown}`; }
}

class ShakaPlayer {
  async load(address, clearKeys) {
    // It draws captions itself, over a film that lies in a box.
    this.box = document.createElement("div");
    media.replaceWith(this.box);
    this.box.append(media);
    this.shaka = new shaka.Player(null, this.box);
    await this.shaka.attach(media);
    this.shaka.configure({
      abr: {enabled: false}, drm: {clearKeys}, streaming: {bufferingGoal: 4},
    });
    this.shaka.addEventListener("error", ({detail}) =>
      troubles.push(`shaka: ${detail.code} ${detail.data}`));
    await this.shaka.load(address);
  }
  // A variant is a rung with a sound: those with the sound that plays.
  variants() {
    const tracks = this.shaka.getVariantTracks();
    const sound = tracks.find((track) => track.active)?.audioId;
    return tracks.filter((track) => track.audioId === sound);
  }
  rungs() {
    return this.variants().map((track) => ({
      id: track.id, width: track.width, height: track.height, codec: track.videoCodec,
      bps: track.bandwidth,
    }));
  }
  showsRung(rung) { return this.variants().find((track) => track.active)?.id === rung.id; }
  chooseNow(rung) { this.choose(rung, 0); }
  chooseNext(rung) { this.choose(rung, 4); }
  choose(rung, kept_s) {
    const wanted = this.variants().find((track) => track.id === rung.id);
    this.shaka.selectVariantTrack(wanted, true, kept_s);
  }
  languages() { return this.shaka.getTextTracks().map((track) => track.language); }
  showCaptions(language) {
    const tracks = this.shaka.getTextTracks();
    this.shaka.selectTextTrack(tracks.find((track) => track.language === language));
  }
  captions() { return this.box.innerText.split("\n").filter((line) => line.trim()); }
  drawCaptions(drawn) { this.box.className = drawn ? "" : "undrawn"; }
  stalls() {
    const {stallsDetected, gapsJumped} = this.shaka.getStats();
    return stallsDetected + gapsJumped;
  }
  tells() { return JSON.stringify(this.shaka.getBufferedInfo()); }
}

// What is on the screen: time and size of the last frame that was presented, and while the film
// plays its bars, too.
let presented = null;
let noted = null;
function watch() {
  media.requestVideoFrameCallback((_, {mediaTime, width, height}) => {
    presented = {time: mediaTime, width, height};
    noted?.push(bars());
    watch();
  });
}

// Where it waited for data though it was neither at its start nor sought. That it waits for a slow
// machine, which has not decoded yet what is there, is no fault of the package.
const waits = [];
const lacksData = () => !held().some(([start, end]) => start <= media.currentTime
  && (media.currentTime + 0.2 < end || media.duration - 0.1 < end));
let settled = false;
media.addEventListener("seeking", () => { settled = false; });
media.addEventListener("playing", () => { settled = !media.seeking; });
media.addEventListener("waiting", () => {
  if (settled && !media.seeking && lacksData()) waits.push(`waits ${state()}`);
});

// With captions from the start, if there are any, as for somebody who wants them always: Shaka
// Player 5.2.12 shows none that are chosen when all of the film is fetched, or while it seeks.
async function start(name, address, clearKeys, language) {
  player = name === "hls.js" ? new HlsJs() : new ShakaPlayer();
  watch();
  try {
    await player.load(address, clearKeys);
  } catch (error) {
    throw new Error(`${name}: ${error.code ?? ""} ${error.message} ${error.data ?? ""}`);
  }
  await until(() => media.readyState >= 2 && (presented || !media.videoWidth),
    () => "no frame is shown");
  if (language) player.showCaptions(language);
  await media.play();
  await until(() => media.currentTime > 0.5 || media.ended, () => "it does not start");
  return {duration_s: media.duration, rungs: player.rungs(), languages: player.languages()};
}

const has = (rung) => player.showsRung(rung)
  && media.videoWidth === rung.width && media.videoHeight === rung.height;

// What stands still is decoded anew only when it is sought.
async function chooseNow(rung) {
  player.chooseNow(rung);
  const again = setInterval(() => {
    if (!media.seeking && !has(rung)) media.currentTime = media.currentTime;
  }, 100);
  await until(() => has(rung) && media.readyState >= 2 && !media.seeking,
    () => `rung ${JSON.stringify(rung)} does not come`);
  clearInterval(again);
}

// The picture at a time while it stands still; waits for the frame that belongs there, for a while.
// A player that still changes the rung may throw away what it was about to show, and a busy browser
// may show nothing of a seek: sought once more.
async function seek(seconds, frame_s) {
  media.pause();
  const right = () => !media.seeking && presented
    && Math.abs(presented.time + frame_s / 2 - seconds) < frame_s / 2;
  for (const patience_ms of [2_000, 5_000, 60_000]) {
    presented = null;
    media.currentTime = seconds;
    const giveUp = performance.now() + patience_ms;
    await until(() => right() || performance.now() > giveUp, state);
    if (right()) return presented;
  }
  if (!presented) throw new Error(`no frame comes at ${seconds} s: ${state()}`);
  return presented;
}

const captioned = () => until(() => player.captions().length, () => "no caption comes");

async function stand(seconds) {
  media.pause();
  const there = happens("seeked");
  media.currentTime = seconds;
  await there;
}

// While it plays.
async function jump(seconds) {
  await media.play();
  const [there, plays] = [happens("seeked"), happens("playing")];
  media.currentTime = seconds;
  await there;
  await plays;
  await until(() => media.currentTime > seconds + 0.2, () => `it stands after a seek to ${seconds}`);
  return media.currentTime;
}

// From the start to the end, and to another rung whenever one is shown: as often as there is time.
async function playThrough(speed, frame_s) {
  const rungs = player.rungs();
  await chooseNow(rungs[0]);
  await seek(frame_s / 2, frame_s);
  const [shown, ended] = [[], happens("ended")];
  let wanted = 0;
  noted = [];
  media.playbackRate = speed;
  await media.play();
  const switching = setInterval(() => {
    if (!has(rungs[wanted]) || rungs.length === shown.length) return;
    shown.push(rungs[wanted].id);
    wanted = (wanted + 1) % rungs.length;
    player.chooseNext(rungs[wanted]);
  }, 20);
  await ended;
  clearInterval(switching);
  return {end_s: media.currentTime, shown, frames: noted};
}

// To the end from where it is, once the end is fetched.
async function finish(speed) {
  if (!media.ended) {
    media.pause();
    await until(() => held().some(([start, end]) => start <= media.currentTime
      && media.duration - 0.3 < end), () => "its end is not fetched");
    media.playbackRate = speed;
    await media.play();
  }
  await until(() => media.ended, () => "it does not end");
  return media.currentTime;
}
