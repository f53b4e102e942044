// What the map shows, derived from the state: every server's place on its host, and sums per host and zone.

const ROWS = 4;
const SPARE = 1.12; // room above the fullest host, so that most moves find a free place without repacking

/** Hosts with their servers and sums. `update` after every tick. */
export class Cloud {
  constructor(state) {
    this.state = state;
    const { hosts, servers } = state;
    this.hosts = hosts.map((host, index) => ({ ...host, index, label: label(host), servers: new Set(), places: new Map() }));
    this.where = Int32Array.from(servers.host);
    this.zones = zonesOf(this.hosts);
    servers.host.forEach((host, server) => this.hosts[host].servers.add(server));
    const used = this.hosts.map((host) => sum(host.servers, servers.vcpu));
    const fullest = Math.max(8, ...used) * SPARE;
    const widest = servers.vcpu.reduce((a, b) => Math.max(a, b), 1);
    // Equal area is equal vCPU on every host; a capacity far over what anybody uses would draw empty tiles.
    for (const host of this.hosts) host.room = Math.min(host.threads * host.ratio, fullest);
    this.row = Math.max(widest, Math.ceil(Math.max(...this.hosts.map((host) => host.room), ROWS) / ROWS));
    for (const host of this.hosts) this.pack(host);
    this.update({});
  }

  /** Take in what a tick changed; the state is already folded. */
  update(tick) {
    for (const [server, host] of tick.placed ?? []) this.move(server, host);
    this.reserve();
    this.starved = new Map(this.state.starved.map((entry) => [entry.server, entry]));
    this.moving = new Map(this.state.flights.map((flight) => [flight.server, flight]));
    this.sums();
  }

  /** The host index of a name, or -1. */
  host(name) {
    return this.hosts.findIndex((host) => host.name === name);
  }

  steal(server) {
    return this.state.load.steal[server];
  }

  /** The worst server of a host: a starved one before any other; -1 on an empty host. */
  worst(host) {
    let worst = -1;
    for (const server of host.servers) {
      if (worst < 0 || this.badness(server) > this.badness(worst)) worst = server;
    }
    return worst;
  }

  badness(server) {
    return this.steal(server) + (this.starved.has(server) ? 10_000 : 0);
  }

  move(server, to) {
    const from = this.hosts[this.where[server]];
    from.servers.delete(server);
    from.places.delete(server);
    const host = this.hosts[to];
    this.where[server] = to;
    host.servers.add(server);
    const kept = host.places.get(~server);
    host.places.delete(~server);
    const place = kept ?? gap(host, this.row, this.state.servers.vcpu[server]);
    if (place) host.places.set(server, place);
    else this.pack(host);
  }

  /** Keep a place for every server in flight at its destination, under the key ~server. */
  reserve() {
    const wanted = new Set(this.state.flights.map((flight) => `${flight.to} ${~flight.server}`));
    for (const name of this.reserved ?? []) {
      const [host, key] = name.split(" ").map(Number);
      if (!wanted.has(name)) this.hosts[host].places.delete(key);
    }
    for (const { to, server } of this.state.flights) {
      const host = this.hosts[to];
      if (host.places.has(~server) || host.servers.has(server)) continue;
      host.places.set(~server, gap(host, this.row, this.state.servers.vcpu[server]) ?? { x: 0, y: host.rows - 1, w: 2 });
    }
    this.reserved = wanted;
  }

  /** First fit, largest first. */
  pack(host) {
    const { vcpu } = this.state.servers;
    host.places = new Map();
    host.rows = Math.max(1, Math.ceil(host.room / this.row));
    for (const server of [...host.servers].sort((a, b) => vcpu[b] - vcpu[a] || a - b)) {
      let place = gap(host, this.row, vcpu[server]);
      if (!place) {
        host.rows += 1;
        place = gap(host, this.row, vcpu[server]);
      }
      host.places.set(server, place);
    }
  }

  sums() {
    const { load, servers, host_cpu: cpu } = this.state;
    for (const zone of this.zones) Object.assign(zone, { starved: 0, moving: 0, servers: 0, weight: 0, stolen: 0 });
    for (const host of this.hosts) {
      let weight = 0, stolen = 0, memory = 0, known = 0, starved = 0, worst = -1;
      for (const server of host.servers) {
        memory += servers.memory_mib[server];
        const steal = load.steal[server];
        if (steal < 0) continue;
        known += 1;
        weight += servers.vcpu[server];
        stolen += steal * servers.vcpu[server];
        if (this.starved.has(server)) {
          starved += 1;
          worst = Math.max(worst, steal);
        }
      }
      const zone = host.inZone;
      Object.assign(host, { starved, cpu: cpu[host.index] ?? -1, memory, silent: host.servers.size > 0 && known === 0 });
      host.steal = weight ? stolen / weight : known ? 0 : -1;
      host.seen = starved ? worst : host.servers.size ? host.steal : 0;
      zone.starved += starved;
      zone.servers += host.servers.size;
      zone.weight += weight;
      zone.stolen += stolen;
    }
    for (const flight of this.state.flights) this.hosts[flight.to].inZone.moving += 1;
  }
}

/** "az1-h07" in zone az1 is "h07". */
function label(host) {
  return host.name.startsWith(`${host.zone}-`) ? host.name.slice(host.zone.length + 1) : host.name;
}

function zonesOf(hosts) {
  const zones = new Map();
  for (const host of hosts) {
    if (!zones.has(host.zone)) zones.set(host.zone, { name: host.zone, hosts: [] });
    host.inZone = zones.get(host.zone);
    host.inZone.hosts.push(host);
  }
  return [...zones.values()].sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
}

function sum(rows, column) {
  let total = 0;
  for (const row of rows) total += column[row];
  return total;
}

/** The first free place of `width` vCPU, row by row from the left; null if there is none. */
function gap(host, row, width) {
  const taken = Array.from({ length: host.rows }, () => []);
  for (const place of host.places.values()) taken[place.y]?.push(place);
  for (let y = 0; y < host.rows; y += 1) {
    let x = 0;
    for (const place of taken[y].sort((a, b) => a.x - b.x)) {
      if (place.x - x >= width) break;
      x = place.x + place.w;
    }
    if (x + width <= row) return { x, y, w: width };
  }
  return null;
}
