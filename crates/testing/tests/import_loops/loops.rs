//! A shortest loop among arrows, as text.

use std::collections::{BTreeMap, VecDeque};

use crate::{arrows::Arrows, module_tree::ModuleTree};

/// A shortest loop of files, one arrow per line with the names it carries; `None` if there is none.
pub(crate) fn first_loop(arrows: &Arrows, tree: &ModuleTree) -> Option<String> {
    let mut next = BTreeMap::<usize, Vec<usize>>::new();
    for &(from, to) in arrows.keys() {
        next.entry(from).or_default().push(to);
    }
    let shortest = next
        .keys()
        .filter_map(|&start| way_back(&next, start))
        .min_by_key(Vec::len)?;
    let root = tree.files.first()?.parent()?.parent()?;
    let crate_name = root.file_name().unwrap_or_default().to_string_lossy();
    let shown = |file: usize| {
        let path = tree.files[file]
            .strip_prefix(root)
            .unwrap_or(&tree.files[file]);
        path.display().to_string()
    };
    let mut text = format!(
        "{crate_name}: {} files import each other in a loop",
        shortest.len()
    );
    for (i, &from) in shortest.iter().enumerate() {
        let to = shortest[(i + 1) % shortest.len()];
        let names: Vec<&str> = arrows[&(from, to)].iter().map(String::as_str).collect();
        text += &format!("\n  {} -> {}: {}", shown(from), shown(to), names.join(", "));
    }
    Some(text)
}

/// The shortest way from a file back to itself, breadth first.
fn way_back(next: &BTreeMap<usize, Vec<usize>>, start: usize) -> Option<Vec<usize>> {
    let mut came_from = BTreeMap::<usize, usize>::new();
    let mut waiting = VecDeque::from([start]);
    while let Some(file) = waiting.pop_front() {
        for &to in next.get(&file).into_iter().flatten() {
            if to == start {
                let mut way = vec![file];
                while let Some(&before) = came_from.get(way.last()?) {
                    way.push(before);
                }
                way.reverse();
                return Some(way);
            }
            if to != start && !came_from.contains_key(&to) {
                came_from.insert(to, file);
                waiting.push_back(to);
            }
        }
    }
    None
}
