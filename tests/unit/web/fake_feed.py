"""A small made-up cloud for the page: `python -m unit.web.fake_feed --hosts 10000` serves it by hand."""

import argparse
import math
import random
import time
from datetime import datetime, timedelta, timezone

from watari.web.contract import (
    NO_DATA,
    Candidate,
    ChartTail,
    Ended,
    Flight,
    HistoryPoint,
    Host,
    Loads,
    PageState,
    PageTick,
    Peak,
    Rule,
    ServerDetails,
    Starved,
    Strip,
)
from watari.web.hub import Hub

STEP_S = 300
DAY = datetime(2022, 6, 14, tzinfo=timezone(timedelta(hours=9), "JST"))
PEAKS: list[Peak] = [
    {"from": "12:00", "to": "12:45", "moves": 0, "zones": []},
    {"from": "15:00", "to": "15:45", "moves": 0, "zones": []},
    {"from": "22:00", "to": "22:45", "moves": 0, "zones": []},
]
ROLES = ["web", "api", "worker", "db", "search", "cache", "queue", "ci"]
REFUSALS = [
    "moved 22 min ago; the cool-down is 60 min",
    "Kubernetes would not drain it: PodDisruptionBudget “api” allows 0 disruptions",
    "pinned by the server's metadata (watari:pin)",
    "az2 has no host with 16,384 MiB free; the best, az2-h09, has 6,144 MiB",
]


class FakeFeed:
    """Hosts and servers with hot spots that shift; `at_s` is the second of the day that the state shows."""

    def __init__(self, hosts: int = 80, seed: int = 4, at_s: float = 52_329, pace: float = 1.0) -> None:
        self._chance = random.Random(seed)
        self.at_s = at_s
        self.pace = pace
        zones = 3 if hosts <= 200 else 10
        self.hosts = [self._host(i, hosts, zones) for i in range(hosts)]
        self.host_of: list[int] = []
        self.vcpu: list[int] = []
        used = [0] * hosts
        for _ in range(hosts * 25 // 2):
            host, vcpu = self._chance.randrange(hosts), self._chance.choices((2, 4, 8, 16), (4, 4, 2, 1))[0]
            while used[host] + vcpu > 88:
                host = self._chance.randrange(hosts)
            used[host] += vcpu
            self.host_of.append(host)
            self.vcpu.append(vcpu)
        self.hot = self._chance.sample(range(hosts), max(2, hosts // 11))
        self.heat = {host: self._chance.uniform(60, 230) for host in self.hot}
        self.roles = [self._chance.choice(ROLES) for _ in self.vcpu]
        self.names = [f"{role}-{i:04d}" for i, role in enumerate(self.roles)]
        self.bias = [self._chance.uniform(0.1, 1.5) for _ in self.vcpu]
        self.flights: list[Flight] = []
        self.done = 143
        self.load = self._measure()
        while len(self.flights) < min(6, hosts // 8 + 1):
            self._start(len(self.flights) + 1)

    def state(self) -> PageState:
        tail = self._tail(0, int(self.at_s // STEP_S))
        return {
            "cloud": "tokyo-1",
            "now": self._now(),
            "time_zone": "JST",
            "pace": self.pace,
            "policy": {
                "name": "default",
                "steal": 0.1,
                "load_per_vcpu": 1.0,
                "hold_rounds": 3,
                "cool_down_s": 3600.0,
            },
            "strip": self._strip(),
            "hosts": self.hosts,
            "host_cpu": self._host_cpu(),
            "servers": {
                "id": [f"id-{i}" for i in range(len(self.vcpu))],
                "name": self.names,
                "host": list(self.host_of),
                "vcpu": self.vcpu,
                "memory_mib": [4096 * vcpu for vcpu in self.vcpu],
                "role": self.roles,
            },
            "load": self.load,
            "flights": [flight.copy() for flight in self.flights],
            "starved": self._starved(),
            "chart": {
                "start": DAY.isoformat(),
                "step_s": STEP_S,
                "measured": tail["measured"],
                "shadow": tail["shadow"],
                "starved": tail["starved"],
                "done": tail["done"],
                "undone": tail["undone"],
                "failed": tail["failed"],
                "forecast": [round(self._demand(i) * 0.9, 1) for i in range(288)],
            },
            "peaks": PEAKS,
            "ended": None,
        }

    def tick(self, seconds: float) -> PageTick:
        """The next reading, `seconds` of real time later."""
        before = int(self.at_s // STEP_S)
        self.at_s = min(86_399.0, self.at_s + seconds * self.pace)
        placed = self._fly(seconds)
        self.load = self._measure()
        tick: PageTick = {
            "now": self._now(),
            "strip": self._strip(),
            "host_cpu": self._host_cpu(),
            "placed": placed,
            "load": self.load,
            "flights": [flight.copy() for flight in self.flights],
            "starved": self._starved(),
            "chart": self._tail(max(0, before - 1), int(self.at_s // STEP_S)),
        }
        if self.at_s >= 86_399:
            tick["ended"] = self._ended()
            tick["flights"] = []
        return tick

    def details(self, server: str) -> ServerDetails | None:
        index = int(server.removeprefix("id-")) if server.removeprefix("id-").isdigit() else -1
        if not 0 <= index < len(self.vcpu):
            return None
        host = self.hosts[self.host_of[index]]
        steal = max(0, self.steal[index]) / 1000
        starved = steal >= 0.1
        peers = [h for h in self.hosts if h["zone"] == host["zone"] and h is not host and h["state"] == "up"][:4]
        now = DAY + timedelta(seconds=self.at_s)
        return {
            "id": server,
            "name": self.names[index],
            "host": host["name"],
            "zone": host["zone"],
            "role": self.roles[index],
            "project": "shop",
            "flavor": f"m1.{self.vcpu[index]}",
            "vcpu": self.vcpu[index],
            "memory_mib": 4096 * self.vcpu[index],
            "disk_gib": 20 * self.vcpu[index],
            "orchestrator": "Kubernetes",
            "starved": starved,
            "verdict": {
                "kind": "planned" if starved else "healthy",
                "title": f"Will move to {peers[0]['name']}" if starved else "Stays where it is",
                "text": f"Operation 7 of wave 2. Predicted steal there 0.6 %, now {steal:.0%}."
                if starved
                else "Its steal is under the threshold, so nothing is done.",
            },
            "load": {"steal": steal, "per_vcpu": 1.23, "source": "prometheus", "age_s": 4.0},
            "rules": _rules(steal, starved),
            "candidates": _candidates(peers) if starved else [],
            "candidates_note": "15 fit of 23" if starved else "",
            "help": "",
            "history": _history(now, steal),
            "moves": [
                {
                    "from": "az1-h02",
                    "to": host["name"],
                    "ended": (now - timedelta(hours=3, minutes=12)).isoformat(),
                    "outcome": "done",
                    "benefit": 0.12,
                }
            ],
        }

    def _host(self, i: int, hosts: int, zones: int) -> Host:
        zone, n = i % zones, i // zones + 1
        width = len(str(hosts // zones))
        host: Host = {
            "name": f"az{zone + 1}-h{n:0{max(2, width)}d}",
            "zone": f"az{zone + 1}",
            "rack": f"r{n // 20:02d}" if hosts > 200 else "",
            "state": "up",
            "state_note": "",
            "threads": 48.0,
            "ratio": 2.0,
            "memory_mib": 393_216,
        }
        if i == 33:
            host |= {"state": "disabled", "state_note": "for a firmware update, by m.sato"}
        elif i == 49:
            host |= {"state": "draining", "state_note": "4 of 13 servers left"}
        elif i == 59:
            host |= {"state": "down", "state_note": "no heartbeat for 3 min 12 s"}
        elif i == 26:
            host |= {"state_note": "exporter silent for 6 min"}
        return host

    def _measure(self) -> Loads:
        self.steal = []
        load: list[int] = []
        wave = 0.75 + 0.5 * math.sin(self.at_s / 700)
        for host, bias in zip(self.host_of, self.bias, strict=True):
            heat = self.heat.get(host, 4.0) * (wave if host // 7 % 2 else 1.6 - wave) * bias
            self.steal.append(NO_DATA if host in (26, 59) else int(min(600, heat + self._chance.random() * 4)))
            load.append(int(40 + heat * 0.62 + self._chance.random() * 20))
        return {"steal": self.steal, "per_vcpu": load, "age_s": 5.0}

    def _host_cpu(self) -> list[int]:
        used = [0] * len(self.hosts)
        for host, vcpu in zip(self.host_of, self.vcpu, strict=True):
            used[host] += vcpu
        return [min(1300, int(1150 if host in self.heat else 8 * vcpus)) for host, vcpus in enumerate(used)]

    def _starved(self) -> list[Starved]:
        worst = sorted((i for i, steal in enumerate(self.steal) if steal >= 100), key=lambda i: -self.steal[i])
        moving = {flight["server"]: flight["to"] for flight in self.flights}
        rows: list[Starved] = []
        for server in worst:
            if server in moving:
                rows.append({"server": server, "intent": "moving", "to": moving[server], "why": ""})
            elif server % 4 == 0:
                rows.append({"server": server, "intent": "refused", "to": None, "why": REFUSALS[server // 4 % 4]})
            else:
                target = self._target(server)
                rows.append({"server": server, "intent": "planned", "to": target, "why": ""})
        return rows

    def _target(self, server: int) -> int:
        zone = self.hosts[self.host_of[server]]["zone"]
        cool = [i for i, h in enumerate(self.hosts[:200]) if h["zone"] == zone and h["state"] == "up"]
        cool = [i for i in cool if i not in self.heat and i not in (26, self.host_of[server])]
        return cool[server % len(cool)]

    def _start(self, n: int) -> None:
        flying = {flight["server"] for flight in self.flights}
        ready = [i for i, steal in enumerate(self.steal) if steal >= 60 and i not in flying]
        if not ready:
            ready = [i for i in range(len(self.vcpu)) if i not in flying]
        server = self._chance.choice(ready)
        total = self.vcpu[server] * 9000.0
        self.flights.append(
            {
                "id": f"op-{self.done}-{n}",
                "n": n,
                "server": server,
                "from": self.host_of[server],
                "to": self._target(server),
                "phase": "memory",
                "attempt": 1,
                "done_mib": total * self._chance.uniform(0, 0.8),
                "total_mib": total,
                "rate_mib_s": self._chance.uniform(360, 460),
                "eta_s": 60.0,
                "stalled_since": None,
            }
        )

    def _fly(self, seconds: float) -> list[tuple[int, int]]:
        placed: list[tuple[int, int]] = []
        for flight in list(self.flights):
            flight["done_mib"] += flight["rate_mib_s"] * seconds * min(self.pace, 40)
            flight["eta_s"] = max(0.0, (flight["total_mib"] - flight["done_mib"]) / flight["rate_mib_s"])
            if flight["done_mib"] >= flight["total_mib"]:
                self.flights.remove(flight)
                self.host_of[flight["server"]] = flight["to"]
                placed.append((flight["server"], flight["to"]))
                self.done += 1
                self._start(flight["n"])
        if len(self.flights) > 3:
            slow = self.flights[3]
            slow["rate_mib_s"], slow["stalled_since"] = 21.0, (DAY + timedelta(seconds=self.at_s - 240)).isoformat()
        return placed

    def _demand(self, slot: int) -> float:
        hour = slot * STEP_S / 3600
        return 90 + sum(h * math.exp(-((hour - at) ** 2) / w) for at, h, w in PEAK_SHAPES) + 12 * math.sin(slot * 1.3)

    def _tail(self, at: int, end: int) -> ChartTail:
        shadow = [round(self._demand(i), 1) for i in range(at, end)]
        chance = [random.Random(i).random() for i in range(at, end)]
        busy = [8 < i / 12 < 14.5 for i in range(at, end)]
        return {
            "at": at,
            "measured": [round(min(s, 60 + 0.28 * s), 1) for s in shadow],
            "shadow": shadow,
            "starved": [int(s / 18) for s in shadow],
            "done": [int(c * 6) if b else 0 for c, b in zip(chance, busy, strict=True)],
            "undone": [int(c > 0.985) for c in chance],
            "failed": [int(c > 0.97 and b) for c, b in zip(chance, busy, strict=True)],
        }

    def _strip(self) -> Strip:
        running = len(self.flights)
        scale = len(self.vcpu) / 1000
        total = sum(self._demand(i) for i in range(int(self.at_s // STEP_S))) * STEP_S * scale
        return {
            "starved": sum(steal >= 100 for steal in self.steal),
            "starved_shadow": int(58 * scale),
            "steal_s_today": total * 0.47,
            "steal_s_shadow_today": total,
            "moves": {"done": self.done, "running": running, "undone": 2, "failed": 1},
            "moved_mib": {"memory": self.done * 19_500.0, "disk": self.done * 15_300.0},
            "budgets": [
                {"name": "moves", "used": running, "limit": 8, "unit": ""},
                {"name": "link", "used": 2150.0, "limit": 2970.0, "unit": "MiB/s"},
                {"name": "az2", "used": 3, "limit": 3, "unit": ""},
            ],
            "quiet": next((p for p in PEAKS if _hour(p["from"]) > self.at_s / 3600 - 0.75), None),
        }

    def _ended(self) -> Ended:
        return {
            "starved_min": 412.0,
            "starved_min_shadow": 9_870.0,
            "steal_s": 4.1e6,
            "steal_s_shadow": 12.2e6,
            "avoided": 0.96,
            "moves": {"done": self.done, "running": 0, "undone": 2, "failed": 1},
            "moved_mib": {"memory": self.done * 19_500.0, "disk": self.done * 15_300.0},
        }

    def _now(self) -> str:
        return (DAY + timedelta(seconds=int(self.at_s))).isoformat()


def _rules(steal: float, starved: bool) -> list[Rule]:
    return [
        {"name": "steal at or over 10 %, 3 rounds", "met": starved, "value": f"{steal:.0%}", "limit": ""},
        {"name": "load at or over 1.00 per vCPU", "met": True, "value": "1.23", "limit": ""},
        {"name": "last move over 60 min ago", "met": True, "value": "3 h 12 min ago", "limit": ""},
        {"name": "not pinned", "met": True, "value": "", "limit": ""},
    ]


def _candidates(peers: list[Host]) -> list[Candidate]:
    """The chosen one, two that lost, and one that is ruled out."""
    why = ["Chosen, lowest score: steal 0.3 %, 1 web server there"]
    why += [f"Lost: {i} servers of the role there already, 1 on {peers[0]['name']}" for i in (1, 2)]
    why += ["Out: CPU would reach 93 %, limit 80 %"]
    return [
        {
            "host": peer["name"],
            "score": 1.58 + 0.24 * i if i < 3 else None,
            "steal": 0.003 * (i + 1) if i < 3 else None,
            "same_role": i,
            "free_mib": 90_112 - 8192 * i,
            "cpu_after": 0.6 + 0.1 * i,
            "why": why[i],
        }
        for i, peer in enumerate(peers)
    ]


def _history(now: datetime, steal: float) -> list[HistoryPoint]:
    return [
        {
            "t": (now - timedelta(seconds=STEP_S * (72 - i))).isoformat(),
            "steal": max(0.0, steal * math.exp(-((i - 60) ** 2) / 90) + 0.004 * math.sin(i)),
            "per_vcpu": 0.5 + 0.7 * math.exp(-((i - 58) ** 2) / 140) + 0.05 * math.sin(i * 1.7),
        }
        for i in range(73)
    ]


PEAK_SHAPES = ((9.4, 330.0, 1.2), (12.3, 1300.0, 0.25), (15.2, 1100.0, 0.2), (22.4, 1700.0, 0.35))


def _hour(text: str) -> float:
    return int(text[:2]) + int(text[3:]) / 60


def main() -> None:
    """Serve the feed until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=80)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--pace", type=float, default=1.0, help="seconds of the cloud's clock per second")
    parser.add_argument("--at", type=float, default=52_329, help="second of the day to start at")
    parser.add_argument("--rate", type=float, default=4.0, help="ticks per second")
    options = parser.parse_args()
    feed = FakeFeed(options.hosts, pace=options.pace, at_s=options.at)
    hub = Hub(feed.details)
    hub.publish_state(feed.state())
    from unit.web.one_hub import page_server

    with page_server(hub, options.port) as page:
        print(page.url, flush=True)
        while feed.at_s < 86_399:
            time.sleep(1 / options.rate)
            hub.publish_tick(feed.tick(1 / options.rate))
        time.sleep(3600)


if __name__ == "__main__":
    main()
