/**
 * Who may read and write next on Deno, when many want to.
 *
 * Deno (the cooperative budget of tokio, its event loop) lets 128 reads and writes get on in a turn. When more are ready it
 * tries them all, in vain, and begins with the latest in the next turn: of a thousand busy connections those that have
 * just been answered are served over and over, others wait for seconds, new ones are not accepted, and most of the time
 * goes into trying. So few reads are asked for at once, few writes in a turn, and the other connections stand in line here. A read that has not
 * been answered for some turns is an idle connection's and counts no more.
 */
/** With no more connections than this, no more can be ready than get on: nobody stands in line. */
const FEW_CONNECTIONS = 100;
/** So many reads that may be ready. Each mostly causes a write, and what became ready all at once has to get on besides. */
const MOST_ASKED = 48;
/**
 * And so many in so many turns, however soon they are answered: less than gets on meanwhile, so that those that wait, and
 * were ready before, have their turn. Power of two.
 */
const PACE_TURNS = 16;
/** A read that was asked for so many turns ago has found nothing. Power of two. */
const TURNS = 64;
/** Turns are counted up to this and begin anew: a small integer to V8, and a multiple of TURNS less one. */
const LAST_TURN = 0x3fff_ffff;
/** Of a read that stands in no count. */
const UNCOUNTED = -1;
/**
 * New connections are accepted a few a turn: while there are more, turns without reads in between keep turns short. At most
 * so many behind one another.
 */
const TURNS_LEFT_OUT = 16;

/** So many writes a turn: beyond, they would be tried in vain as well. */
const MOST_WRITES = 100;

/** Who has something to write. */
export interface Writer {
  /** May write now. */
  writeTurnCame(): void;
}

/** Who stands in line. */
export interface Reader {
  /** When it asked, as it is counted here. */
  askedInTurn: number;
  /** May read now. */
  turnCame(): void;
}

export class Turns {
  private readonly defer: (task: () => void) => void;
  private connections = 0;
  private line: Reader[] = [];
  private next = 0;
  private isDeferred = false;
  private now = 0;
  /** Of each of the last turns, the reads that were asked for in it and have not been answered; and all of them. */
  private readonly asked = new Array<number>(TURNS).fill(0);
  private allAsked = 0;
  /** Asked for in the present PACE_TURNS, answered or not. */
  private recent = 0;
  private writes = 0;
  private writers: Writer[] = [];
  private accepted = 0;
  private leftOut = 0;
  private readonly turn = () => this.takeTurn();

  /** @param defer runs a task at the end of a turn of the event loop */
  constructor(defer: (task: () => void) => void) {
    this.defer = defer;
  }

  hasOpened(): void {
    this.connections += 1;
    this.accepted += 1;
  }

  hasClosed(): void {
    this.connections -= 1;
  }

  /** Whether `reader` may read at once; if not, `turnCame` is called when it may. Tell `hasRead` when it has. */
  mayRead(reader: Reader): boolean {
    if (this.connections <= FEW_CONNECTIONS) {
      reader.askedInTurn = UNCOUNTED;
      return true;
    }
    if (this.hasRoom && this.line.length === 0) {
      this.count(reader);
      return true;
    }
    this.line.push(reader);
    this.deferTurn();
    return false;
  }

  hasRead({ askedInTurn }: Reader): void {
    if (askedInTurn === UNCOUNTED || ((this.now - askedInTurn) & LAST_TURN) >= TURNS) return;
    this.asked[askedInTurn & (TURNS - 1)]! -= 1;
    this.allAsked -= 1;
  }

  /** As `mayRead`: whether it may write at once; if not, `writeTurnCame` is called. */
  mayWrite(writer: Writer): boolean {
    if (this.connections <= FEW_CONNECTIONS) return true;
    if (this.writes < MOST_WRITES) {
      this.writes += 1;
      return true;
    }
    this.writers.push(writer);
    this.deferTurn();
    return false;
  }

  private count(reader: Reader): void {
    reader.askedInTurn = this.now;
    this.asked[this.now & (TURNS - 1)]! += 1;
    this.allAsked += 1;
    this.recent += 1;
  }

  private get hasRoom(): boolean {
    return this.allAsked < MOST_ASKED && this.recent < MOST_ASKED;
  }

  private deferTurn(): void {
    if (this.isDeferred) return;
    this.isDeferred = true;
    this.defer(this.turn);
  }

  private takeTurn(): void {
    this.isDeferred = false;
    this.letWrite();
    if (this.accepted > 0 && this.leftOut < TURNS_LEFT_OUT) {
      this.accepted = 0;
      this.leftOut += 1;
      this.deferTurn();
      return;
    }
    this.leftOut = 0;
    this.now = (this.now + 1) & LAST_TURN;
    const place = this.now & (TURNS - 1);
    this.allAsked -= this.asked[place]!;
    this.asked[place] = 0;
    if ((this.now & (PACE_TURNS - 1)) === 0) this.recent = 0;
    while (this.next < this.line.length && this.hasRoom) {
      const reader = this.line[this.next++]!;
      this.count(reader);
      reader.turnCame();
    }
    this.forgetServed();
    if (this.line.length > 0) this.deferTurn();
  }

  private letWrite(): void {
    const { writers } = this;
    this.writes = Math.min(writers.length, MOST_WRITES);
    if (this.writes === 0) return;
    this.writers = writers.slice(this.writes);
    if (this.writers.length > 0) this.deferTurn();
    const count = this.writes;
    for (let i = 0; i < count; i++) writers[i]!.writeTurnCame();
  }

  /** Those that were in line. */
  private forgetServed(): void {
    if (this.next === this.line.length) this.line = [];
    else if (this.next < this.line.length / 2) return;
    else this.line = this.line.slice(this.next);
    this.next = 0;
  }
}
