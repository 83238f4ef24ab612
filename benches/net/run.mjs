/**
 * Plays every scenario, prints the table and writes it to `../results/netbench.json`.
 *
 * NET=quick measures shorter than NET=full, the default. ROWS=loss5,narrow takes only scenarios whose names contain one of the
 * words, and those whose sound theirs is held against. NET_AGAINST=srs:PROGRAM plays each of them against another server too.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { playScenario } from './play.mjs';
import { SCENARIOS } from './scenarios.mjs';
import { servers } from './servers.mjs';
import { format, isMet } from './table.mjs';

const mode = process.env['NET'] ?? 'full';
if (mode !== 'quick' && mode !== 'full') throw new Error(`NET is ${mode}, not quick or full`);
const words = (process.env['ROWS'] ?? '').split(/[\s,]+/).filter((word) => word !== '');
const wanted = SCENARIOS.filter(({ id }) => words.length === 0 || words.some((word) => id.includes(word)));
if (wanted.length === 0) {
  throw new Error(`no scenario is called ${words.join(' or ')}: there are ${SCENARIOS.map(({ id }) => id).join(' ')}`);
}
const needed = new Set(wanted.flatMap(({ id, reference }) => (reference ? [id, reference] : [id])));

/** @type {(import('./table.mjs').Outcome & { result?: Awaited<ReturnType<typeof playScenario>>, busy: number })[]} */
const outcomes = [];
for (const scenario of SCENARIOS.filter(({ id }) => needed.has(id))) {
  for (const kind of servers(process.env['NET_AGAINST'] ?? '')) {
    process.stderr.write(`${scenario.id} against ${kind.name}\n`);
    try {
      const result = await playScenario(scenario, kind, mode);
      const reference = outcomes.find((one) => one.scenario.id === scenario.reference && one.server === kind.name);
      const { figures } = result;
      if (reference?.figures) figures.drop = reference.figures.pesq - figures.pesq;
      outcomes.push({ scenario, server: kind.name, figures, result, busy: loadavg()[0] ?? 0 });
    } catch (error) {
      const failed = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
      outcomes.push({ scenario, server: kind.name, failed, busy: loadavg()[0] ?? 0 });
    }
    process.stderr.write(`${format(outcomes.slice(-1)).split('\n')[1]}\n`);
  }
}

const processors = cpus();
const machine = `${processors.length} x ${processors[0]?.model ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GB`;
process.stdout.write(`\n${format(outcomes)}\n\n${mode}, ${machine}\n`);
const directory = new URL('../results/', import.meta.url);
mkdirSync(directory, { recursive: true });
const rows = outcomes.map(({ scenario, server, failed, figures, result, busy }) => {
  const goals = scenario.goals.map((goal) => ({ ...goal, met: figures !== undefined && isMet(goal, figures) }));
  return { id: scenario.id, what: scenario.what, server, goals, failed, ...result, busy };
});
const report = { at: new Date().toISOString(), mode, machine, rows };
writeFileSync(new URL('netbench.json', directory), `${JSON.stringify(report, (_, value) => (value === Infinity ? 'never' : value), 2)}\n`);
