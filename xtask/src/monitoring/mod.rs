//! `cargo xtask monitoring`: metrics on their real way. `hftune drift check` writes them, a real node_exporter reads its
//! textfile directory, a real Prometheus scrapes it and answers every question of the dashboard and the alert rules, and
//! promtool is the judge of names, rules and alerts.

mod programs;
mod questions;

use crate::child::OwnedChild;
use crate::lab::free_port;
use crate::progress::say;
use crate::tool::{self, Answer};
use crate::workspace;
use anyhow::{Context, Result, bail, ensure};
use programs::Programs;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// The directory of the metrics in the tree, and below it on this machine.
const TEXTFILES: &str = "/metrics";

/// A setting that the tree has and that is changed behind hftune's back.
const CHANGED: &str = "/proc/sys/vm/swappiness";

/// Runs all of it. What cannot be had is told as skipped.
pub fn run() -> Result<ExitCode> {
    let work = workspace::target_dir()?.join("monitoring");
    let programs = Programs::find_or_unpack(&work)?;
    let monitoring = workspace::root().join("packaging/monitoring");
    let rules = monitoring.join("alerts.yml");

    say("monitoring: the alert rules");
    promtool(&programs, &["check", "rules", text(&rules)?])?;
    let played = work.join("alerts_test.yml");
    fs::write(
        &played,
        include_str!("alerts_test.yml").replace("[RULES]", &format!("[{}]", text(&rules)?)),
    )?;
    promtool(&programs, &["test", "rules", text(&played)?])?;

    say("monitoring: metrics of a tree");
    let tree = work.join("tree");
    drifted_tree(&tree)?;
    let metrics = fs::read_to_string(tree.join("metrics/hftune.prom"))?;
    judge_metrics(&programs, &metrics)?;

    say("monitoring: a scrape of node_exporter");
    let port = free_port()?;
    let address = format!("127.0.0.1:{port}");
    let _exporter = start(
        tool::command(text(&programs.exporter)?)
            .arg("--collector.disable-defaults")
            .arg("--collector.textfile")
            .arg(format!(
                "--collector.textfile.directory={}",
                tree.join("metrics").display()
            ))
            .arg(format!("--web.listen-address={address}")),
        &work.join("node_exporter.log"),
    )?;
    let scraped = eventually("node_exporter answers", || get(&address, "/metrics"))?;
    for line in [
        "node_textfile_scrape_error 0",
        "hftune_setting_ok{domain=\"sysctl\",id=\"sysctl/vm.swappiness\",verdict=\"wrong\"} 0",
        "hftune_settings{verdict=\"ok\"}",
        "hftune_setting_since_timestamp_seconds{domain=\"sysctl\",id=\"sysctl/vm.swappiness\"}",
        "hftune_verify_timestamp_seconds",
    ] {
        ensure!(
            scraped.lines().any(|known| known.starts_with(line)),
            "{line} is not in what node_exporter answers:\n{scraped}"
        );
    }

    say("monitoring: every question of the dashboard and the rules");
    let own = free_port()?;
    let config = work.join("prometheus.yml");
    fs::write(
        &config,
        format!(
            "global: {{ scrape_interval: 1s }}\nscrape_configs:\n  - job_name: node\n    static_configs: [{{ targets: ['{address}'] }}]\n"
        ),
    )?;
    let data = work.join("data");
    let _ = fs::remove_dir_all(&data);
    let _prometheus = start(
        tool::command(text(&programs.prometheus)?)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", data.display()))
            .arg(format!("--web.listen-address=127.0.0.1:{own}")),
        &work.join("prometheus.log"),
    )?;
    let server = format!("http://127.0.0.1:{own}");
    eventually("Prometheus has a scrape", || {
        let answer = query(&programs, &server, "hftune_info")?;
        ensure!(answer.contains("hftune_info"), "no metrics yet");
        Ok(answer)
    })?;
    let dashboard = fs::read_to_string(monitoring.join("grafana-dashboard.json"))?;
    let mut answered = 0;
    for question in questions::of_dashboard(&dashboard)?
        .into_iter()
        .chain(questions::of_rules(&fs::read_to_string(&rules)?))
    {
        let answer = query(&programs, &server, &question.expression)?;
        ensure!(
            !question.has_an_answer || !answer.trim().is_empty(),
            "nothing answers \"{}\": {}",
            question.of,
            question.expression
        );
        answered += 1;
    }
    println!("monitoring: {answered} questions answered; node_textfile_scrape_error 0");
    Ok(ExitCode::SUCCESS)
}

/// A tree that was set up and verified, and drifted since.
fn drifted_tree(tree: &Path) -> Result<()> {
    tool::run(
        tool::command(&workspace::cargo())
            .args(["build", "--quiet", "-p", "hftune"])
            .current_dir(workspace::root()),
    )?;
    let binary = workspace::target_dir()?.join("debug/hftune");
    let _ = fs::remove_dir_all(tree);
    for (path, content) in [
        ("/sys/devices/system/cpu/online", "0-1\n"),
        ("/sys/devices/system/cpu/possible", "0-1\n"),
        ("/sys/devices/system/cpu/present", "0-1\n"),
        (
            "/sys/devices/system/cpu/cpu0/topology/core_cpus_list",
            "0\n",
        ),
        (
            "/sys/devices/system/cpu/cpu1/topology/core_cpus_list",
            "1\n",
        ),
        (
            "/proc/meminfo",
            "MemTotal: 33554432 kB\nMemAvailable: 30000000 kB\nHugepagesize: 2048 kB\n",
        ),
        (CHANGED, "60\n"),
        ("/metrics/other.prom", "# TYPE other gauge\nother 1\n"),
    ] {
        let path = tree.join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().expect("a file has a directory"))?;
        fs::write(path, content)?;
    }
    let hftune = |words: &[&str], codes: &[i32]| -> Result<()> {
        let mut command = Command::new(&binary);
        command.arg("--root").arg(tree).args(words);
        let Answer {
            code,
            stdout,
            stderr,
        } = tool::converse(&mut command, b"", Duration::from_secs(60))?;
        ensure!(
            code.is_some_and(|code| codes.contains(&code)),
            "hftune {}: {code:?}\n{stdout}{stderr}",
            words.join(" ")
        );
        Ok(())
    };
    let check = ["drift", "check", "--textfile-dir", TEXTFILES];
    hftune(&["setup", "--yes"], &[0, 3, 4])?;
    hftune(
        &["drift", "enable", "--yes", "--textfile-dir", TEXTFILES],
        &[0],
    )?;
    hftune(&check, &[3, 4])?;
    fs::write(tree.join(CHANGED.trim_start_matches('/')), "60\n")?;
    hftune(&check, &[3])
}

fn judge_metrics(programs: &Programs, metrics: &str) -> Result<()> {
    let mut command = tool::command(text(&programs.promtool)?);
    command.args(["check", "metrics"]);
    let answer = tool::converse(&mut command, metrics.as_bytes(), Duration::from_secs(30))?;
    ensure!(
        answer.code == Some(0) && answer.stdout.is_empty() && answer.stderr.is_empty(),
        "promtool check metrics: {}{}",
        answer.stdout,
        answer.stderr
    );
    Ok(())
}

fn promtool(programs: &Programs, words: &[&str]) -> Result<String> {
    let mut command = tool::command(text(&programs.promtool)?);
    command.args(words);
    let answer = tool::converse(&mut command, b"", Duration::from_secs(60))?;
    ensure!(
        answer.code == Some(0),
        "promtool {}: {}{}",
        words.join(" "),
        answer.stdout,
        answer.stderr
    );
    Ok(answer.stdout)
}

fn query(programs: &Programs, server: &str, expression: &str) -> Result<String> {
    promtool(programs, &["query", "instant", server, expression])
}

fn start(command: &mut Command, log: &Path) -> Result<OwnedChild> {
    let file = fs::File::create(log)?;
    command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file);
    OwnedChild::spawn(command)
}

/// Tries for half a minute: programs take a while to listen, and a scrape comes when it comes.
fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    const CAP: Duration = Duration::from_secs(30);
    let began = Instant::now();
    loop {
        match attempt() {
            Ok(answer) => return Ok(answer),
            Err(e) if began.elapsed() > CAP => {
                return Err(e).with_context(|| format!("{what}: not within {} s", CAP.as_secs()));
            }
            Err(_) => std::thread::sleep(Duration::from_millis(200)),
        }
    }
}

fn get(address: &str, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.0 200") => Ok(body.to_owned()),
        _ => bail!("it answers: {}", answer.lines().next().unwrap_or_default()),
    }
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path that is no UTF-8")
}
