// The page's main loop. The address selects a view, the view requests and renders its data, and the request is repeated
// periodically.

import { onAlertAction } from './alert-actions.js';
import { markAutomatic, Problem } from './api.js';
import { afterLoad, startBell } from './bell.js';
import { onChartFailure } from './charts.js';
import { closeContact, reopenContact } from './contact-dialog.js';
import { afterSignOut, startContacts } from './contacts.js';
import { announce, replaceContent } from './dom.js';
import { clearOld } from './stored-contacts.js';
import * as outbox from './outbox.js';
import { isOver, startLeaving } from './leaving.js';
import * as live from './live.js';
import { heading, refreshMarks } from './parts.js';
import { countDown, problemBanner, skeleton } from './problems.js';
import { Schedule } from './refresh.js';
import { currentRoute } from './router.js';
import * as session from './session.js';
import { askSettings } from './settings.js';
import { showShell, showUpdated } from './shell.js';
import { setTitle } from './tab.js';
import { showSignIn } from './views/signin.js';
import * as alerts from './views/alerts.js';
import * as overview from './views/overview.js';
import * as patient from './views/patient.js';
import * as patients from './views/patients.js';
import * as performance from './views/performance.js';
import * as trends from './views/trends.js';
import { askZone } from './zone.js';

const views = { overview, alerts, patients, patient, performance, trends };
const content = document.getElementById('content');
const schedule = new Schedule((isByTimer) => load(isByTimer), live.isLive);
/** The current page: its address, the response and its time. */
let shown = null;
let running = null;
/**
 * The last address of a person whose session ended without signing out, for that person only. Null while a person is
 * signed in, and before.
 */
let left = null;

function open() {
  const route = currentRoute();
  const view = views[route.name];
  const address = location.hash;
  const isMove = shown !== null && shown.address !== address;
  const isOtherPage = shown?.view !== view || view === patient;
  shown = { address, view, route, data: null, text: null, since: null, problem: null };
  setTitle(`${view.title} – Reengagement`);
  showShell(route, changeOrganization, () => leave(false));
  if (isOtherPage) replaceContent(content, skeleton());
  else content.setAttribute('aria-busy', 'true');
  // The reader, and a screen reader, start at the top of a new page.
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
  // The first load of a page counts as requested by a person, its retries included. A refresh by the timer does not.
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

// After a Problem the previous content stays. After an error of the page itself, its state is unknown.
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
  afterLoad();
  if (!isBack) return;
  clearOld();
  outbox.resume();
}

async function fail(problem) {
  if (problem.status === 401) return expire(problem);
  // Previous content of a refused or missing resource is removed too.
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

// The token was refused. The local set-up may have a newer one. Otherwise the person is asked for one.
async function expire(problem) {
  const refused = session.token();
  schedule.stop();
  session.expire();
  outbox.keepAll();
  await session.lookAround();
  // A second refused request may have found a newer token already.
  if (session.token() !== refused || session.signInLocally()) return;
  if (session.token()) forget(session.reasonToSignIn(problem));
  else blank(null);
}

// The page is cleared without waiting for a response. Then the local set-up may have a newer token for an expired one.
async function end(reason, isExpired) {
  const [organization, refused] = [session.organization(), session.token()];
  forget(reason);
  if (!isExpired) return;
  await session.lookAround();
  if (session.token() === null) session.signInLocally(organization, refused);
}

// The session ended without signing out. All patient data is removed from the page. The same person continues at the
// same address later.
function forget(reason) {
  const address = location.hash;
  session.forget();
  clearPlace();
  left = address;
  blank(reason);
  outbox.putAway();
}

// An address may contain a patient's id.
function clearPlace() {
  patients.forget();
  alerts.forget();
  history.replaceState(null, '', '#/');
}

// Waiting contacts belong to the previous organization, and their requests start with the previous token.
function changeOrganization(text) {
  outbox.flush();
  session.signIn(text);
}

// Token and content are removed at once, without waiting for the network.
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
  // If this fails, the first view requests it again and shows the reason.
  askSettings().then(clearOld, () => {});
  startLeaving(end);
  startContacts(reopenContact);
  startBell(() => schedule.ring());
  live.startLive();
  live.onState(() => schedule.retime());
  onAlertAction(() => shown && load());
  outbox.onContact(onContact);
  onChartFailure((error) => shown?.problem === null && stop(error));
  // "Back" must not lead one person to another person's page.
  addEventListener('hashchange', () => (session.token() ? open() : left !== null && clearPlace()));
  setInterval(() => shown?.problem && schedule.at && countDown({ at: schedule.at }), 1000);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => shown?.data && !matchMedia('print').matches && render());
  session.onSignOutElsewhere(() => leave(true));
  session.onSignIn((isSamePerson) => {
    patients.forget();
    alerts.forget();
    announce('');
    shown = null;
    // An address of one person's patient may mean another patient, or none, for the next person.
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

// start.js reports a failed start like a failed module.
await start();
