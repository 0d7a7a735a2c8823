//! What network ports are set to, asked over netlink: one question a kind for all ports together, where the kernel is safe to ask so.

use std::collections::BTreeMap;

use hftune_model::ethtool::{Port, Told};
use hftune_model::host::Nic;
use hftune_model::names::IfName;
use hftune_model::{Error, Result};
use hftune_sys::Root;
use hftune_sys::ethtool::{Answer, Dump, Ethtool, Request};

/// The name of the question in a capture.
const QUESTION: &str = "ethtool";

/// The ports by their names, or why none of them could be asked. It is what a capture holds.
type Ports = Result<BTreeMap<String, Port>, String>;

/// What the kernel tells of these ports. Each of them is in the answer.
pub fn ports(root: &Root, nics: &[Nic]) -> BTreeMap<String, Port> {
    let ask = || {
        let ports: Ports = read(nics).map_err(|e| e.in_one_line());
        serde_json::to_string(&ports).map_err(|e| Error::invalid(e.to_string()))
    };
    let nothing = if root.is_running() {
        "the capture does not hold it"
    } else {
        "no netlink socket for a directory tree"
    };
    let ports: Ports = match root.answer(QUESTION, ask) {
        None => Err(nothing.to_owned()),
        Some(Err(e)) => Err(e.in_one_line()),
        Some(Ok(text)) => serde_json::from_str(&text)
            .unwrap_or_else(|e| Err(format!("the capture's answer makes no sense: {e}"))),
    };
    let port = |nic: &Nic| match &ports {
        Ok(ports) => ports
            .get(&nic.name)
            .cloned()
            .unwrap_or_else(|| Port::unknown(nothing)),
        Err(why) => Port::unknown(why),
    };
    nics.iter()
        .map(|nic| (nic.name.clone(), port(nic)))
        .collect()
}

fn read(nics: &[Nic]) -> Result<BTreeMap<String, Port>> {
    let mut ethtool = Ethtool::connect()?;
    // The kernel answers for the features of every port there is, so that one without an answer is gone.
    let mut features = all(&mut ethtool, nics);
    let mut rings = all(&mut ethtool, nics);
    let mut channels = all(&mut ethtool, nics);
    let mut coalesce = all(&mut ethtool, nics);
    let mut flags = all(&mut ethtool, nics);
    let mut pause = all(&mut ethtool, nics);
    let mut eee = all(&mut ethtool, nics);
    let mut link_modes = all(&mut ethtool, nics);
    let mut link_state = all(&mut ethtool, nics);
    let mut time_stamping = each(&mut ethtool, nics);
    let mut pause_frames = all(&mut ethtool, nics);
    let mut stamping = each(&mut ethtool, nics);
    let mut driver = each(&mut ethtool, nics);
    let mut port = |name: &str| {
        let features = take(&mut features, name);
        if features == Told::Unsupported {
            return Port::unknown("the port is gone");
        }
        Port {
            features,
            rings: take(&mut rings, name),
            channels: take(&mut channels, name),
            coalesce: take(&mut coalesce, name),
            flags: take(&mut flags, name),
            pause: take(&mut pause, name),
            eee: take(&mut eee, name),
            link_modes: take(&mut link_modes, name),
            link_state: take(&mut link_state, name),
            time_stamping: take(&mut time_stamping, name),
            pause_frames: take(&mut pause_frames, name),
            stamping: take(&mut stamping, name),
            driver: take(&mut driver, name),
        }
    };
    Ok(nics
        .iter()
        .map(|nic| (nic.name.clone(), port(&nic.name)))
        .collect())
}

fn take<T>(all: &mut BTreeMap<String, Told<T>>, name: &str) -> Told<T> {
    all.remove(name).unwrap_or_default()
}

/// One kind of answer of all ports. Where one driver's error ends the list, each port is asked alone, so that the others
/// are known nevertheless.
fn all<T: Dump>(ethtool: &mut Ethtool, nics: &[Nic]) -> BTreeMap<String, Told<T>> {
    let Ok(mut listed) = ethtool.dump::<T>() else {
        return each(ethtool, nics);
    };
    of_each(nics, |port| {
        listed.remove(port).map_or(Told::Unsupported, Told::Value)
    })
}

/// One kind of answer of all ports, each of them asked alone.
fn each<T: Request>(ethtool: &mut Ethtool, nics: &[Nic]) -> BTreeMap<String, Told<T>> {
    of_each(nics, |port| match ethtool.get::<T>(port) {
        Ok(Answer::Told(told)) => Told::Value(told),
        Ok(Answer::Unsupported(_)) => Told::Unsupported,
        Err(e) => Told::Unknown(e.in_one_line()),
    })
}

fn of_each<T>(nics: &[Nic], mut told: impl FnMut(&IfName) -> Told<T>) -> BTreeMap<String, Told<T>> {
    let mut one = |nic: &Nic| match nic.name.parse() {
        Ok(port) => told(&port),
        Err(Error { what, .. }) => Told::Unknown(what),
    };
    nics.iter()
        .map(|nic| (nic.name.clone(), one(nic)))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use hftune_model::ethtool::Rings;
    use hftune_sys::replay::Manifest;

    use super::*;

    fn nics(names: &[&str]) -> Vec<Nic> {
        let nic = |name: &&str| Nic {
            name: (*name).to_owned(),
            ..Nic::default()
        };
        names.iter().map(nic).collect()
    }

    /// What is known of the rings of eth0 where a capture has this answer.
    fn rings(answer: Option<&str>) -> Told<Rings> {
        let answers = answer.map(|text| (QUESTION.to_owned(), text.to_owned()));
        let manifest = Manifest {
            running: true,
            answers: answers.into_iter().collect(),
            ..Manifest::default()
        };
        let dir = tempfile::tempdir().expect("temporary directory");
        let root = Root::tree(dir.path())
            .expect("root")
            .captured(Some(manifest));
        let mut ports = ports(&root, &nics(&["eth0"]));
        ports.remove("eth0").expect("eth0").rings
    }

    #[test]
    fn a_capture_holds_the_answers() {
        let told = Rings {
            rx: Some(1024),
            ..Rings::default()
        };
        let of_eth0 = Port {
            rings: Told::Value(told),
            eee: Told::Unsupported,
            ..Port::default()
        };
        let text = |ports: Ports| serde_json::to_string(&ports).expect("JSON");
        let answer = text(Ok(BTreeMap::from([("eth0".to_owned(), of_eth0.clone())])));
        assert_eq!(rings(Some(&answer)), Told::Value(told));
        // Of a capture from before drivers were asked for.
        let mut old: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
        let fields = old["Ok"]["eth0"].as_object_mut().expect("fields");
        for field in ["pause_frames", "stamping", "driver"] {
            assert!(fields.remove(field).is_some(), "{field}");
        }
        assert_eq!(rings(Some(&old.to_string())), Told::Value(told));
        let unknown = |answer: Option<&str>| match rings(answer) {
            Told::Unknown(why) => why,
            told => panic!("{told:?}"),
        };
        let other = text(Ok(BTreeMap::from([("eth1".to_owned(), of_eth0)])));
        assert_eq!(unknown(Some(&other)), "the capture does not hold it");
        assert_eq!(unknown(None), "the capture does not hold it");
        assert_eq!(
            unknown(Some(&text(Err("no family".to_owned())))),
            "no family"
        );
        assert!(unknown(Some("[]")).starts_with("the capture's answer makes no sense: "));
    }

    #[test]
    fn a_tree_has_no_kernel() {
        let root = Root::tree(Path::new("/proc/self")).expect("root");
        assert_eq!(
            ports(&root, &nics(&["eth0"]))["eth0"],
            Port::unknown("no netlink socket for a directory tree")
        );
    }

    /// Of the kernel that runs the test; it changes nothing.
    #[test]
    fn every_port_has_its_own_answer() {
        let ports = ports(&Root::live(), &nics(&["lo", "not-there-at-all", "gone0"]));
        let lo = &ports["lo"];
        if let Told::Unknown(why) = &lo.features {
            println!("skipped: {why}");
            return;
        }
        let features = lo.features.value().expect("features of lo");
        assert!(features["loopback"].fixed && features["loopback"].active);
        assert_eq!(lo.rings, Told::Unsupported);
        assert_eq!(ports["gone0"], Port::unknown("the port is gone"));
        assert!(
            matches!(&ports["not-there-at-all"].features, Told::Unknown(why) if why.contains("15 bytes"))
        );
    }
}
