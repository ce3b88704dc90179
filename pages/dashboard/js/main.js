// The page's one loop: the address says which view, the view says what to ask and how
// to show it, and the answer is asked for again as time goes by.

import { markAutomatic, Problem } from './api.js';
import { onChartFailure } from './charts.js';
import { closeContact, reopenContact } from './contact-dialog.js';
import { afterSignOut, startContacts } from './contacts.js';
import { announce, replaceContent } from './dom.js';
import { clearOld } from './kept.js';
import * as outbox from './outbox.js';
import { isOver, startLeaving } from './leaving.js';
import { heading, refreshMarks } from './parts.js';
import { countDown, problemBanner, skeleton } from './problems.js';
import { Schedule } from './refresh.js';
import { currentRoute } from './router.js';
import * as session from './session.js';
import { askSettings } from './settings.js';
import { showShell, showUpdated } from './shell.js';
import { showSignIn } from './views/signin.js';
import * as overview from './views/overview.js';
import * as patient from './views/patient.js';
import * as patients from './views/patients.js';
import * as performance from './views/performance.js';
import * as trends from './views/trends.js';
import { askZone } from './zone.js';

const views = { overview, patients, patient, performance, trends };
const content = document.getElementById('content');
const schedule = new Schedule((isByTimer) => load(isByTimer));
/** What is on the page: its address, the answer and when it came. */
let shown = null;
let running = null;
/** Where somebody was whose session ended by itself, for him alone; null while somebody is here, or nobody has been. */
let left = null;

function open() {
  const route = currentRoute();
  const view = views[route.name];
  const address = location.hash;
  const isMove = shown !== null && shown.address !== address;
  const isOtherPage = shown?.view !== view || view === patient;
  shown = { address, view, route, data: null, text: null, since: null, problem: null };
  document.title = `${view.title} – Reengagement`;
  showShell(route, changeOrganization, () => leave(false));
  if (isOtherPage) replaceContent(content, skeleton());
  else content.setAttribute('aria-busy', 'true');
  // The reader, and a screen reader, start at the top of what was asked for.
  if (isMove && isOtherPage) {
    scrollTo(0, 0);
    content.focus({ preventScroll: true });
    announce(view.title);
  }
  load();
}

async function load(isByTimer = false) {
  if (isOver()) return;
  running?.abort();
  const own = new AbortController();
  // What is shown for the first time somebody has asked for, also where only a later attempt succeeds.
  if (isByTimer && shown.data) markAutomatic(own.signal);
  running = own;
  schedule.stop();
  const mine = shown;
  try {
    const [data] = await Promise.all([
      mine.view.load(mine.route.parameters, own.signal), mine.view.tellsZone ? null : askZone(own.signal),
      askSettings(),
    ]);
    if (!own.signal.aborted) succeed(data);
  } catch (error) {
    if (!own.signal.aborted) await stop(error);
  }
}

// A problem leaves what was shown before. Of a mistake of the page's own nobody knows what it has left there.
async function stop(error) {
  if (!shown) return;
  if (error instanceof Problem) return fail(error);
  console.error(error);
  shown.data = null;
  await fail(new Problem(0, 'The page failed in showing what the server answered.'));
}

function succeed(data) {
  const text = JSON.stringify(data, (name, value) => (name === 'last_updated' || name === 'timestamp' ? undefined : value));
  const isNew = text !== shown.text || shown.problem !== null;
  const isBack = session.confirm() || shown.problem !== null;
  Object.assign(shown, { data, text, since: new Date(), problem: null });
  if (isNew) render();
  showUpdated(shown.since);
  schedule.succeeded();
  if (!isBack) return;
  clearOld();
  outbox.resume();
}

async function fail(problem) {
  if (problem.status === 401) return expire(problem);
  // What is refused, or not there any more, is not shown from before either.
  if ([403, 404, 410].includes(problem.status)) shown.data = null;
  schedule.failed(problem);
  shown.problem = problem;
  render();
}

function render() {
  const { view, data, problem, route, since } = shown;
  const context = { parameters: route.parameters, reload: () => load() };
  const retry = { at: schedule.at, now: () => { announce('Trying again'); load(); } };
  const body = data ? view.render(data, context) : view.fallback?.(context) ?? heading(view.title);
  content.removeAttribute('aria-busy');
  view.release?.();
  replaceContent(content, problem && problemBanner(problem, retry, data && since), body);
  view.attach?.(data, context);
  refreshMarks();
}

// A token that is no longer taken: the local set-up may have a newer one, anybody else
// is asked for it.
async function expire(problem) {
  const refused = session.token();
  schedule.stop();
  session.expire();
  outbox.keepAll();
  await session.lookAround();
  // Two requests may have been refused, and the other one have found a newer token already.
  if (session.token() !== refused || session.signInLocally()) return;
  if (session.token()) forget(session.reasonToSignIn(problem));
  else blank(null);
}

// Nothing here waits for an answer; only then the local set-up may have a newer token for one that has expired.
async function end(reason, isExpired) {
  const [organization, refused] = [session.organization(), session.token()];
  forget(reason);
  if (!isExpired) return;
  await session.lookAround();
  if (session.token() === null) session.signInLocally(organization, refused);
}

// Nobody is here any more: of a patient nothing stays on the page, and the same person goes on where he was.
function forget(reason) {
  const address = location.hash;
  session.forget();
  clearPlace();
  left = address;
  blank(reason);
  outbox.putAway();
}

// An address may hold a patient's id.
function clearPlace() {
  patients.forget();
  history.replaceState(null, '', '#/');
}

// What waits belongs to the organization that was; its requests begin with the token that was.
function changeOrganization(text) {
  outbox.flush();
  session.signIn(text);
}

// Token and page go at once: nothing here waits for the network.
function leave(isElsewhere) {
  const person = session.person();
  outbox.flush();
  session.signOut(isElsewhere);
  if (person) outbox.forget(person);
  clearPlace();
  left = '#/';
  blank(isElsewhere ? 'You have signed out in another tab.' : 'You are signed out.');
  if (person) afterSignOut(person);
}

function blank(reason) {
  running?.abort();
  schedule.stop();
  shown?.view.release?.();
  shown = null;
  closeContact();
  announce(reason ?? '');
  showSignIn(content, reason);
  showShell(null);
}

function onContact(entry) {
  refreshMarks();
  if (!outbox.isMine(entry)) return;
  if (entry.state === 'logged' && shown) load();
  if (entry.state === 'failed' && entry.problem?.status === 401) expire(entry.problem);
}

async function start() {
  // Where this fails, the first view asks again, and says why.
  askSettings().then(clearOld, () => {});
  startLeaving(end);
  startContacts(reopenContact);
  outbox.onContact(onContact);
  onChartFailure((error) => shown?.problem === null && stop(error));
  // By "Back", too, nobody is led to where somebody else was.
  addEventListener('hashchange', () => (session.token() ? open() : left !== null && clearPlace()));
  setInterval(() => shown?.problem && schedule.at && countDown({ at: schedule.at }), 1000);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => shown?.data && !matchMedia('print').matches && render());
  session.onSignOutElsewhere(() => leave(true));
  session.onSignIn((isSamePerson) => {
    patients.forget();
    announce('');
    shown = null;
    // The address of one person's patient means another one, or nobody, to the next.
    if (!isSamePerson && currentRoute().name === 'patient') history.replaceState(null, '', '#/');
    else if (isSamePerson && left !== null) history.replaceState(null, '', left);
    left = null;
    outbox.putAway();
    open();
  });
  await session.lookAround();
  if (session.token()) open();
  else if (!session.signInLocally()) expire();
}

// A start that fails is one of the module's, which is told of (start.js).
await start();
