//! Asks and changes ports of the running kernel: veth pairs in a network namespace of the test's own.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use hftune_model::Kind;
use hftune_model::ethtool::{
    Channels, Coalesce, DriverInfo, Eee, FeatureChange, Features, FlagChange, LinkModes, LinkState,
    Pause, PauseFrames, PrivateFlags, Rings, StampingNow, Statistics, TimeStamping,
};
use hftune_model::names::IfName;
use hftune_sys::ethtool::{Answer, Dump, Ethtool, Event, Watch};
use hftune_sys::exec;

/// The argument by which the test knows that it is in its namespace.
const INSIDE: &str = "inside-a-network-namespace";

/// So many pairs that the answers for all ports need several datagrams.
const PAIRS: usize = 100;

fn main() {
    if std::env::args().any(|arg| arg == INSIDE) {
        return inside();
    }
    // The machine's own ports are asked, and never changed.
    answers_are_the_same_both_ways();
    let unshare = Path::new("/usr/bin/unshare");
    if let Err(e) = exec::run_ok(unshare, &["--map-root-user", "--net", "true"]) {
        println!("ethtool: skipped, since no network namespace can be made: {e}");
        return;
    }
    let me = std::env::current_exe().expect("the test's own path");
    let me = me.to_str().expect("a path in UTF-8");
    let done = exec::run_ok(unshare, &["--map-root-user", "--net", me, INSIDE]);
    println!("{}", done.expect("the test in its namespace").stdout.trim());
}

fn inside() {
    for pair in 0..PAIRS {
        let (one, other) = (format!("v{pair}"), format!("w{pair}"));
        ip(&[
            "link",
            "add",
            &one,
            "numrxqueues",
            "2",
            "numtxqueues",
            "2",
            "type",
            "veth",
            "peer",
            "name",
            &other,
            "numrxqueues",
            "2",
            "numtxqueues",
            "2",
        ]);
    }
    ip(&["link", "set", "v0", "up"]);
    ip(&["link", "set", "w0", "up"]);
    let mut ethtool = Ethtool::connect().expect("connect");
    reads_every_port(&mut ethtool);
    reads_one_port(&mut ethtool);
    tells_what_is_unsupported(&mut ethtool);
    tells_why_it_was_refused(&mut ethtool);
    changes_what_it_is_asked_to(&mut ethtool);
    changes_coalescing(&mut ethtool);
    watches_links(&mut ethtool);
    tells_what_it_missed(&mut ethtool);
    answers_are_the_same_both_ways();
    let mut ethtool = Ethtool::over_ioctl().expect("a socket");
    reads_every_port(&mut ethtool);
    reads_one_port(&mut ethtool);
    tells_what_is_unsupported(&mut ethtool);
    tells_what_was_refused_by_ioctl(&mut ethtool);
    changes_what_it_is_asked_to(&mut ethtool);
    changes_coalescing(&mut ethtool);
    watches_links(&mut ethtool);
    answers_are_the_same_both_ways();
    println!("ethtool: ok");
}

fn ip(args: &[&str]) {
    let ip = ["/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip"].map(Path::new);
    let ip = ip.iter().find(|path| path.exists()).expect("iproute2");
    exec::run_ok(ip, args).expect("ip");
}

fn name(text: &str) -> IfName {
    text.parse().expect("name")
}

fn told<T: std::fmt::Debug>(answer: hftune_model::Result<Answer<T>>) -> T {
    match answer {
        Ok(Answer::Told(told)) => told,
        other => panic!("{other:?}"),
    }
}

fn reads_every_port(ethtool: &mut Ethtool) {
    let channels = ethtool.dump::<Channels>().expect("channels");
    assert_eq!(channels.len(), 2 * PAIRS, "loopback has none");
    assert!(channels.values().all(|of| of.rx_max == Some(2)));
    let features = ethtool.dump::<Features>().expect("features");
    assert_eq!(features.len(), 2 * PAIRS + 1);
    assert!(features[&name("lo")]["loopback"].fixed);
    assert_eq!(ethtool.dump::<Rings>(), Ok(BTreeMap::new()));
}

fn reads_one_port(ethtool: &mut Ethtool) {
    let v0 = &name("v0");
    let modes: LinkModes = told(ethtool.get(v0));
    assert_eq!(
        (modes.speed_mbps, modes.full_duplex),
        (Some(10_000), Some(true))
    );
    assert_eq!(told(ethtool.get::<LinkState>(v0)).up, Some(true));
    assert_eq!(told(ethtool.get::<LinkState>(&name("v1"))).up, Some(false));
    let stamps: TimeStamping = told(ethtool.get(v0));
    assert!(
        stamps
            .capabilities
            .iter()
            .any(|word| word == "software-receive")
    );
    assert_eq!(stamps.phc_index, None);
    let driver: DriverInfo = told(ethtool.get(v0));
    assert_eq!(driver.driver.as_deref(), Some("veth"));
    assert_eq!(driver.bus, None);
    let statistics: Statistics = told(ethtool.get(v0));
    // The index of its peer is among what a veth counts (veth_get_ethtool_stats, drivers/net/veth.c).
    assert!(statistics["peer_ifindex"] > 0, "{statistics:?}");
    // A veth has no time stamps of hardware that could be enabled.
    let stamping = ethtool.get::<StampingNow>(v0).expect("an answer");
    assert!(matches!(stamping, Answer::Unsupported(_)), "{stamping:?}");
}

fn tells_what_is_unsupported(ethtool: &mut Ethtool) {
    let v0 = &name("v0");
    assert_eq!(ethtool.get::<Rings>(v0), Ok(Answer::Unsupported(None)));
    assert_eq!(ethtool.get::<Coalesce>(v0), Ok(Answer::Unsupported(None)));
    let off = Pause {
        rx: Some(false),
        ..Pause::default()
    };
    assert_eq!(ethtool.set(v0, &off), Ok(Answer::Unsupported(None)));
    let off = Eee {
        enabled: Some(false),
        ..Eee::default()
    };
    assert_eq!(ethtool.set(v0, &off), Ok(Answer::Unsupported(None)));
    assert_eq!(
        ethtool.get::<PrivateFlags>(v0),
        Ok(Answer::Unsupported(None))
    );
    let flag = FlagChange(BTreeMap::from([("legacy-rx".to_owned(), true)]));
    assert_eq!(ethtool.set(v0, &flag), Ok(Answer::Unsupported(None)));
    let frames = ethtool.get::<PauseFrames>(v0).expect("an answer");
    assert!(matches!(frames, Answer::Unsupported(_)), "{frames:?}");
}

fn tells_what_was_refused_by_ioctl(ethtool: &mut Ethtool) {
    let error = ethtool.get::<Rings>(&name("nope0")).expect_err("no port");
    assert_eq!(error.kind, Kind::Missing);
    assert_eq!(
        error.what,
        "cannot read the rings of nope0: No such device (os error 19)"
    );
    let many = Channels {
        rx: Some(20),
        ..Channels::default()
    };
    let error = ethtool.set(&name("v0"), &many).expect_err("too many");
    assert_eq!(
        error.what,
        "cannot set the channels of v0: Invalid argument (os error 22)"
    );
    let unknown = FeatureChange(BTreeMap::from([("no-such-feature".to_owned(), true)]));
    let why = "this kernel has no feature no-such-feature".to_owned();
    assert_eq!(
        ethtool.set(&name("v0"), &unknown),
        Ok(Answer::Unsupported(Some(why)))
    );
    let cqe = Coalesce {
        cqe_mode_rx: Some(true),
        ..Coalesce::default()
    };
    let cqe = ethtool.set(&name("v0"), &cqe).expect("an answer");
    assert!(matches!(cqe, Answer::Unsupported(Some(_))), "{cqe:?}");
}

/// Asks all ports over netlink and by ioctl. Without netlink both are the same by themselves.
fn answers_are_the_same_both_ways() {
    let mut netlink = Ethtool::connect().expect("connect");
    let mut ioctl = Ethtool::over_ioctl().expect("a socket");
    let mut both = [&mut netlink, &mut ioctl];
    dumps_are_the_same::<Rings>(&mut both);
    dumps_are_the_same::<Channels>(&mut both);
    dumps_are_the_same::<PrivateFlags>(&mut both);
    dumps_are_the_same::<Pause>(&mut both);
    dumps_are_the_same::<Eee>(&mut both);
    dumps_are_the_same::<LinkModes>(&mut both);
    dumps_are_the_same::<LinkState>(&mut both);
    let features = dumps_are_the_same::<Features>(&mut both);
    for port in features.keys() {
        let [one, other] = both.each_mut().map(|way| way.get::<TimeStamping>(port));
        assert_eq!(one, other, "{port}");
    }
    // By ioctl there are values that the driver does not have.
    let [one, other] = both
        .each_mut()
        .map(|way| way.dump::<Coalesce>().expect("coalescing"));
    assert!(one.keys().eq(other.keys()));
    for (port, told) in one {
        let filled = Coalesce {
            cqe_mode_rx: told.cqe_mode_rx,
            cqe_mode_tx: told.cqe_mode_tx,
            ..other[&port]
        };
        let like = hftune_model::port_change::PortChange::Coalesce(told);
        let port = hftune_model::ethtool::Port {
            coalesce: hftune_model::ethtool::Told::Value(filled),
            ..Default::default()
        };
        assert_eq!(like.now(&port).as_ref(), Some(&like));
    }
}

fn dumps_are_the_same<T: Dump + PartialEq + std::fmt::Debug>(
    both: &mut [&mut Ethtool; 2],
) -> BTreeMap<IfName, T> {
    let [one, other] = both.each_mut().map(|way| way.dump::<T>().expect("answers"));
    assert_eq!(one, other, "{}", T::WORD);
    one
}

fn tells_why_it_was_refused(ethtool: &mut Ethtool) {
    let error = ethtool.get::<Rings>(&name("nope0")).expect_err("no port");
    assert_eq!(error.kind, Kind::Missing);
    assert!(
        error.what.starts_with("cannot read the rings of nope0: ")
            && error.what.ends_with(": no device matches name"),
        "{error}"
    );
    let many = Channels {
        rx: Some(20),
        ..Channels::default()
    };
    let error = ethtool.set(&name("v0"), &many).expect_err("too many");
    assert!(
        error
            .what
            .starts_with("cannot set the channels of v0: Invalid argument")
            && error
                .what
                .ends_with(": requested channel count exceeds maximum"),
        "{error}"
    );
    let unknown = FeatureChange(BTreeMap::from([("no-such-feature".to_owned(), true)]));
    assert_eq!(
        ethtool.set(&name("v0"), &unknown),
        Ok(Answer::Unsupported(Some("bit name not found".to_owned())))
    );
}

fn changes_what_it_is_asked_to(ethtool: &mut Ethtool) {
    let v0 = &name("v0");
    let before: Channels = told(ethtool.get(v0));
    let fewer = Channels {
        tx: Some(1),
        ..Channels::default()
    };
    assert!(told(ethtool.set(v0, &fewer)).is_empty());
    let after: Channels = told(ethtool.get(v0));
    assert_eq!(
        after,
        Channels {
            tx: Some(1),
            ..before
        }
    );

    let features: Features = told(ethtool.get(v0));
    let [gro, tso] = ["rx-gro", "tx-tcp-segmentation"].map(|name| features[name].active);
    let change = FeatureChange(BTreeMap::from([
        ("rx-gro".to_owned(), !gro),
        ("tx-tcp-segmentation".to_owned(), !tso),
        ("tx-checksum-fcoe-crc".to_owned(), true),
    ]));
    assert_eq!(told(ethtool.set(v0, &change)), ["tx-checksum-fcoe-crc"]);
    let after: Features = told(ethtool.get(v0));
    assert_eq!(after["rx-gro"].active, !gro);
    assert_eq!(after["tx-tcp-segmentation"].active, !tso);
    assert!(after["tx-checksum-fcoe-crc"].fixed && !after["tx-checksum-fcoe-crc"].active);
    // Features that need another one go with it, but stay wanted (netdev_fix_features, net/core/dev.c).
    let mangle = &after["tx-tcp-mangleid-segmentation"];
    assert_eq!((mangle.active, mangle.wanted), (!tso, true));
    for (name, feature) in &after {
        assert!(
            change.0.contains_key(name) || feature.wanted == features[name].wanted,
            "{name} was not to be changed"
        );
    }
}

/// A TAP device has one value of coalescing (tun_set_coalesce, drivers/net/tun.c).
fn changes_coalescing(ethtool: &mut Ethtool) {
    if !Path::new("/dev/net/tun").exists() {
        println!("ethtool: no coalescing without /dev/net/tun");
        return;
    }
    ip(&["tuntap", "add", "dev", "t0", "mode", "tap"]);
    let t0 = &name("t0");
    let mut watch = Watch::open().expect("watch");
    let eight = Coalesce {
        rx_frames: Some(8),
        ..Coalesce::default()
    };
    assert!(told(ethtool.set(t0, &eight)).is_empty());
    wait_for(&mut watch, &Event::Changed { port: t0.clone() });
    let before: Coalesce = told(ethtool.get(t0));
    assert_eq!(before.rx_frames, Some(8));
    // Of the other values the driver has none, which is EINVAL over netlink and EOPNOTSUPP by ioctl.
    let usecs = Coalesce {
        rx_usecs: Some(5),
        ..Coalesce::default()
    };
    let usecs = ethtool.set(t0, &usecs);
    assert!(!matches!(usecs, Ok(Answer::Told(_))), "{usecs:?}");
    let after: Coalesce = told(ethtool.get(t0));
    assert_eq!(after, before);
    // By ioctl a change of nothing is not sent; the kernel drops it over netlink.
    assert!(told(ethtool.set(t0, &eight)).is_empty());
    answers_are_the_same_both_ways();
    ip(&["tuntap", "del", "dev", "t0", "mode", "tap"]);
}

/// Waits for an event, and answers with what came before it. The kernel may tell of a link a second late
/// (linkwatch_schedule_work, net/core/link_watch.c).
fn wait_for(watch: &mut Watch, wanted: &Event) -> Vec<Event> {
    let mut before = Vec::new();
    let end = Instant::now() + Duration::from_secs(10);
    while Instant::now() < end {
        match watch.next(Some(Duration::from_secs(1))).expect("watch") {
            Some(event) if event == *wanted => return before,
            event => before.extend(event),
        }
    }
    before.dedup();
    before.truncate(20);
    panic!("no {wanted:?} in {before:?}");
}

fn watches_links(ethtool: &mut Ethtool) {
    let mut watch = Watch::open().expect("watch");
    let link = |port: &IfName, carrier| Event::Link {
        port: port.clone(),
        carrier,
    };
    let [a, b] = &["a0", "b0"].map(name);
    ip(&["link", "add", "a0", "type", "veth", "peer", "name", "b0"]);
    wait_for(&mut watch, &link(a, false));
    ip(&["link", "set", "a0", "up"]);
    ip(&["link", "set", "b0", "up"]);
    wait_for(&mut watch, &link(a, true));
    let gro = FeatureChange(BTreeMap::from([("rx-gro".to_owned(), true)]));
    told(ethtool.set(a, &gro));
    wait_for(&mut watch, &Event::Changed { port: a.clone() });
    ip(&["link", "set", "b0", "down"]);
    wait_for(&mut watch, &link(a, false));

    // What a port does in a bridge is no event of its own.
    ip(&["link", "add", "bridge0", "type", "bridge"]);
    ip(&["link", "set", "b0", "master", "bridge0"]);
    ip(&["link", "set", "b0", "nomaster"]);
    let a_while = Some(Duration::from_millis(300));
    let left: Vec<Event> = std::iter::from_fn(|| watch.next(a_while).expect("watch")).collect();
    assert!(!left.contains(&Event::Gone { port: b.clone() }), "{left:?}");
    ip(&["link", "del", "bridge0"]);
    ip(&["link", "del", "a0"]);
    let before = wait_for(&mut watch, &Event::Gone { port: a.clone() });
    let gone = |port: &IfName| Event::Gone { port: port.clone() };
    let allowed = [gone(b), gone(&name("bridge0"))];
    let mut of = before.iter().filter(|of| matches!(of, Event::Gone { .. }));
    assert!(of.all(|of| allowed.contains(of)), "{before:?}");
    if !before.contains(&gone(b)) {
        wait_for(&mut watch, &gone(b));
    }
    while watch
        .next(Some(Duration::from_millis(1500)))
        .expect("watch")
        .is_some()
    {}
    assert_eq!(watch.next(Some(Duration::ZERO)), Ok(None));
}

fn tells_what_it_missed(ethtool: &mut Ethtool) {
    let mut watch = Watch::open().expect("watch");
    for on in [true, false].repeat(1000) {
        let gro = FeatureChange(BTreeMap::from([("rx-gro".to_owned(), on)]));
        told(ethtool.set(&name("v0"), &gro));
    }
    wait_for(&mut watch, &Event::Lost);
    // And goes on afterwards.
    ip(&["link", "add", "z0", "type", "veth", "peer", "name", "z1"]);
    let new = Event::Link {
        port: name("z0"),
        carrier: false,
    };
    wait_for(&mut watch, &new);
    ip(&["link", "del", "z0"]);
}
