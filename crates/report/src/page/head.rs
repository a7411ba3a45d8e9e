//! The head of the page: what it is about, where rewards come from, and the verdict.

use std::fmt::Write as _;

use crystalgym_benchmark::{RewardSource, Standing, TaskVerdict};

use super::mode::PageMode;
use crate::{axis::compact, canvas::escape, data::ReportData, palette::style_of};

/// Title, badges and numbers.
pub(super) fn header(data: &ReportData, mode: &PageMode) -> String {
    let runs = data.runs();
    let episodes: usize = runs.iter().map(|run| run.training.episodes).sum();
    let calculations: usize = runs.iter().map(|run| run.training.calculations).sum();
    let seconds: f64 = runs
        .iter()
        .map(|run| run.training.calculation_seconds)
        .sum();
    let under_way = data.unfinished.iter().filter(|run| !run.trained).count();
    let mut facts = vec![
        ("finished jobs", compact(data.jobs.len() as f64)),
        ("under way", compact(under_way as f64)),
        ("left out", compact(data.tables.left_out.len() as f64)),
        ("episodes", compact(episodes as f64)),
        ("calculations", compact(calculations as f64)),
        ("hours of calculation", compact(rounded(seconds / 3600.0))),
    ];
    let always = ["finished jobs", "episodes", "calculations"];
    facts.retain(|(name, value)| value != "0" || always.contains(name));
    if data.jobs.is_empty() {
        facts.retain(|(name, _)| *name != "finished jobs");
    }
    let mut html = format!(
        "<header class=\"top\"><h1>{}</h1><span class=\"badge\">{}</span>",
        escape(&data.title),
        escape(&data.stamp)
    );
    html += &source_badges(data);
    if matches!(mode, PageMode::Watched { .. }) {
        let state = if data.is_finished() {
            "finished"
        } else {
            "live"
        };
        let class = if data.is_finished() { "" } else { " running" };
        let _ = write!(
            html,
            "<span class=\"badge{class}\" id=\"watch-state\" data-state=\"{state}\" \
             role=\"status\">{state}</span>"
        );
    }
    html += "<dl class=\"facts\">";
    for (name, value) in facts {
        let _ = write!(html, "<div><dt>{name}</dt><dd>{value}</dd></div>");
    }
    html + "</dl></header>\n"
}

/// Where rewards come from; with the properties where these differ.
fn source_badges(data: &ReportData) -> String {
    let sources = data.reward_sources();
    let several = sources.len() > 1;
    let badge = |(source, properties): (&RewardSource, std::collections::BTreeSet<&str>)| {
        let class = if source.is_dft { "dft" } else { "no-dft" };
        let of = match several {
            false => String::new(),
            true => {
                let names: Vec<&str> = properties.into_iter().collect();
                format!(" ({})", names.join(", "))
            }
        };
        format!(
            "<span class=\"badge {class}\">Rewards: {}{}</span>",
            escape(&source.text),
            escape(&of)
        )
    };
    sources.into_iter().map(badge).collect()
}

/// Which agent is best on each task, how sure that is, and the best crystals.
pub(super) fn verdicts(data: &ReportData) -> String {
    let mut html = String::from(
        "<p class=\"intro\">Interquartile mean of the return of the greedy policy over skeletons and \
         seeds, with its 95 % interval. Bars go from the return of a failure to the highest possible \
         one. Searches learn no policy: what they have is their best find, a maximum.</p>\n\
         <div class=\"verdicts\">",
    );
    for verdict in &data.verdicts {
        html += &card(verdict);
    }
    html + "</div>\n"
}

fn card(verdict: &TaskVerdict) -> String {
    let mut html = format!(
        "<div class=\"card verdict\"><h3>{}: {}</h3>",
        escape(&verdict.experiment),
        escape(&verdict.task)
    );
    match verdict.policies.first() {
        Some(first) => {
            let _ = write!(
                html,
                "<p class=\"best\"><strong>{}</strong> {}</p><p class=\"note\">{}</p>",
                style_of(first.algorithm).name,
                escape(&first.text()),
                verdict.certainty.text()
            );
        }
        None => {
            let certainty = verdict.certainty.text();
            let _ = write!(
                html,
                "<p class=\"note\">No agent that learns; {certainty}</p>"
            );
        }
    }
    html += &standings("Greedy policies", &verdict.policies);
    html += &standings("Best finds of searches", &verdict.searches);
    if !verdict.crystals.is_empty() {
        let crystals: Vec<String> = verdict.crystals.iter().map(|one| escape(one)).collect();
        let _ = write!(
            html,
            "<p class=\"crystal-list\"><strong>Best crystals</strong> {}</p>",
            crystals.join(" \u{b7} ")
        );
    }
    html + "</div>"
}

fn standings(heading: &str, standings: &[Standing]) -> String {
    if standings.is_empty() {
        return String::new();
    }
    let mut html = format!("<h4>{heading}</h4><ul class=\"standings\">");
    for standing in standings {
        let style = style_of(standing.algorithm);
        let _ = write!(
            html,
            "<li><span class=\"who\">{}</span><span class=\"bar\" aria-hidden=\"true\"><span \
             style=\"width:{:.1}%;background:var(--{})\"></span></span><span \
             class=\"what\">{}</span></li>",
            style.name,
            100.0 * standing.share,
            style.key,
            escape(&standing.text())
        );
    }
    html + "</ul>"
}

/// Three digits of what is small.
fn rounded(value: f64) -> f64 {
    match value {
        _ if value >= 100.0 => value.round(),
        _ if value >= 1.0 => (10.0 * value).round() / 10.0,
        _ => (1000.0 * value).round() / 1000.0,
    }
}
