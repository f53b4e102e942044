// What hovering over the map says of a host or a server.

import { NB, duration, memory, percent, plural, rate } from "./format.js";
import { mark } from "./tiles.js";

/** A host's numbers: {title, note, rows of [name, value]}. */
export function hostTip(cloud, host) {
  const servers = `${plural(host.servers.size, "server")}${host.starved ? `, ${host.starved} starved` : ""}`;
  const cpu = host.cpu < 0 ? "no data" : `${percent(host.cpu / 1000)} of ${host.threads} threads`;
  return {
    title: host.name,
    note: [mark(host), host.state_note].filter(Boolean).join(": "),
    rows: [["servers", servers], ["steal", host.steal < 0 ? "no data" : percent(host.steal / 1000)], ["CPU asked for", cpu],
      ["memory", `${memory(host.memory)} of ${memory(host.memory_mib)}`], age(cloud)],
  };
}

/** The same of a server, by its index. */
export function serverTip(cloud, server) {
  const { servers, load } = cloud.state;
  const steal = load.steal[server];
  const flight = cloud.moving.get(server);
  const rows = [["host", cloud.hosts[cloud.where[server]].name],
    ["size", `${servers.vcpu[server]}${NB}vCPU, ${memory(servers.memory_mib[server])}`], ["role", servers.role[server] || "none"],
    ["steal", steal < 0 ? "no data" : percent(steal / 1000)],
    ["load per vCPU", load.per_vcpu[server] < 0 ? "no data" : (load.per_vcpu[server] / 100).toFixed(2)]];
  if (flight) {
    const left = flight.eta_s === null ? "" : `, ${duration(flight.eta_s)} left`;
    rows.push(["moves to", cloud.hosts[flight.to].name], ["speed", `${rate(flight.rate_mib_s)}${left}`]);
  }
  const note = cloud.starved.has(server) ? "starved" : "";
  return { title: servers.name[server], note, rows: [...rows, age(cloud)] };
}

function age(cloud) {
  return ["measured", `${duration(cloud.state.load.age_s)} ago`];
}
