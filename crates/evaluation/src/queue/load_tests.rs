//! What the queue costs and holds, measured by hand: `cargo test -p crystalgym-evaluation --lib load_ --
//! --ignored --nocapture --test-threads 1`. Times are this machine's; docs/cluster.md has ours.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crystalgym_crystal::{Crystal, SYMMETRY_TOLERANCE_ANG, Skeleton};
use crystalgym_testing::PostgresqlServer;

use super::{
    jobs,
    tests::{Always, Sleeping, crystals, session, worker},
};
use crate::{Calculator, CancelToken, EvaluationPool, Property, ResultStore, StoreKey, evaluate};

const PATIENCE: Duration = Duration::from_secs(5);

/// A server that waits for its disk, as one should.
fn careful_server() -> PostgresqlServer {
    PostgresqlServer::start(&["max_connections=200"]).unwrap()
}

fn pool(url: &str) -> (Arc<ResultStore>, EvaluationPool) {
    let store = Arc::new(ResultStore::open(url.as_ref()).unwrap());
    let calculator: Arc<dyn Calculator> = Arc::new(Sleeping::default());
    let pool = EvaluationPool::new(calculator, Some(Arc::clone(&store)), 1, usize::MAX);
    (store, pool)
}

/// The same filling in a cell that nobody has met.
fn scaled((number, crystal): (usize, &Crystal)) -> Crystal {
    let mut structure = crystal.structure();
    structure.lattice = structure.lattice.scaled(1.0 + 1e-3 * (1 + number) as f64);
    let skeleton = Skeleton::from_structure("scaled", &structure, SYMMETRY_TOLERANCE_ANG).unwrap();
    Crystal::new(skeleton.into(), structure.elements).unwrap()
}

fn print_overhead(pool: &EvaluationPool, crystals: &[Crystal]) {
    let calculator = Sleeping::default();
    let milliseconds = |work: &dyn Fn()| {
        let start = Instant::now();
        work();
        1e3 * start.elapsed().as_secs_f64()
    };
    // What a calculation takes by itself, the writing of its crystal and all, it takes here too.
    let pairs = crystals.iter().map(|crystal| {
        let whole = milliseconds(&|| {
            let ticket = pool.submit(crystal, Property::Density);
            pool.wait(ticket, None).unwrap();
        });
        let here = milliseconds(&|| {
            let cancel = CancelToken::default();
            evaluate(&calculator, None, crystal, Property::Density, &cancel);
        });
        [whole, here, whole - here]
    });
    let pairs: Vec<_> = pairs.skip(20).collect();
    for (column, name) in ["submission to answer", "the same here", "difference"]
        .iter()
        .enumerate()
    {
        let mut times: Vec<f64> = pairs.iter().map(|pair| pair[column]).collect();
        times.sort_by(f64::total_cmp);
        let at = |part: f64| times[(part * times.len() as f64) as usize];
        let (median, ninety, most) = (at(0.5), at(0.9), at(0.99));
        println!("{name}: median {median:.2} ms, 90 % {ninety:.2} ms, 99 % {most:.2} ms");
    }
}

#[test]
#[ignore = "measures times"]
fn load_overhead_of_one_calculation() {
    let server = careful_server();
    let url = server.new_database("");
    let (_store, pool) = pool(&url);
    let stop = AtomicBool::new(false);
    let of_new_cells: Vec<_> = crystals(200).iter().enumerate().map(scaled).collect();
    thread::scope(|scope| {
        let makers = Always(Arc::default());
        let (url, stop) = (&url, &stop);
        scope.spawn(move || worker(url, 1, &makers, stop));
        for (name, crystals) in [
            ("fillings of one skeleton", crystals(500)),
            ("a new cell each time", of_new_cells),
        ] {
            println!("{name}:");
            print_overhead(&pool, &crystals);
        }
        stop.store(true, Ordering::SeqCst);
    });
}

#[test]
#[ignore = "measures times"]
fn load_throughput_of_empty_calculations() {
    let server = careful_server();
    let url = server.new_database("");
    let (_store, pool) = pool(&url);
    let stop = AtomicBool::new(false);
    let crystals = crystals(4000);
    let makers = Always(Arc::default());
    thread::scope(|scope| {
        let (url, stop, makers) = (&url, &stop, &makers);
        for _ in 0..2 {
            scope.spawn(move || worker(url, 4, makers, stop));
        }
        let start = Instant::now();
        let tickets: Vec<_> = crystals
            .iter()
            .map(|c| pool.submit(c, Property::Density))
            .collect();
        for ticket in tickets {
            pool.wait(ticket, None).unwrap();
        }
        let each = 1e3 * start.elapsed().as_secs_f64() / crystals.len() as f64;
        println!("two workers, 4000 calculations at once: {each:.2} ms each, all in all");
        stop.store(true, Ordering::SeqCst);
    });
}

#[test]
#[ignore = "measures times"]
fn load_claims_a_second() {
    let server = careful_server();
    let url = server.new_database("");
    let count = 100_000;
    ResultStore::open(url.as_ref()).unwrap();
    // Only what the queue does: no crystals, no results.
    server.sql(
        url.split(['/', '?']).nth(3).unwrap(),
        &format!(
            "INSERT INTO crystalgym.jobs (key, calculator, profile, expected_seconds, payload) \
             SELECT lpad(n::TEXT, 64, '0'), 'native', 'p', n % 100, repeat('x', 2000) \
             FROM generate_series(1, {count}) AS n"
        ),
    );
    for (most, sessions) in [(1, 4), (16, 4)] {
        let taken = AtomicU64::new(0);
        let start = Instant::now();
        thread::scope(|scope| {
            for number in 0..sessions {
                let (taken, url) = (&taken, &url);
                scope.spawn(move || {
                    let mut session = session(url);
                    let (calculators, refused) = (["native".to_owned()], Vec::new());
                    let name = format!("w{number}");
                    let wish = jobs::Wish {
                        worker: &name,
                        calculators: &calculators,
                        refused: &refused,
                        most,
                        takes_suspects: false,
                    };
                    while start.elapsed() < Duration::from_secs(3) {
                        let lease = Duration::from_secs(60);
                        let jobs = session
                            .run(PATIENCE, |c| jobs::take(c, &wish, lease))
                            .unwrap();
                        if jobs.is_empty() {
                            return;
                        }
                        taken.fetch_add(jobs.len() as u64, Ordering::SeqCst);
                    }
                });
            }
        });
        let rate = taken.load(Ordering::SeqCst) as f64 / start.elapsed().as_secs_f64();
        println!("taken {most} at a time by {sessions} sessions: {rate:.0} a second");
    }
}

/// Claims of the store, as processes without a queue make them.
#[test]
#[ignore = "measures times"]
fn load_claims_of_results_a_second() {
    let server = careful_server();
    let url = server.new_database("&compute=here");
    let crystals = crystals(2000);
    let calculator = Sleeping::default();
    let keys: Vec<_> = (crystals.iter())
        .map(|c| StoreKey::new(c, Property::Density, &calculator))
        .collect();
    let start = Instant::now();
    thread::scope(|scope| {
        for some in keys.chunks(500) {
            let url = &url;
            scope.spawn(move || {
                let store = ResultStore::open(url.as_ref()).unwrap();
                for key in some {
                    drop(store.claim(key.clone(), &CancelToken::default()));
                }
            });
        }
    });
    let rate = keys.len() as f64 / start.elapsed().as_secs_f64();
    println!("claims made and given back by 4 sessions: {rate:.0} a second");
}

#[test]
#[ignore = "measures times"]
fn load_utilisation_of_64_workers() {
    let server = careful_server();
    let url = server.new_database("");
    let (store, pool) = pool(&url);
    let stop = AtomicBool::new(false);
    let crystals = crystals(64 * 20);
    let makers = Always(Arc::new(Sleeping {
        pause: Duration::from_secs(1),
        ..Sleeping::default()
    }));
    thread::scope(|scope| {
        let (url, stop, makers) = (&url, &stop, &makers);
        for _ in 0..8 {
            scope.spawn(move || worker(url, 8, makers, stop));
        }
        while store.queue_status().unwrap().threads() < 64 {
            thread::sleep(Duration::from_millis(20));
        }
        let start = Instant::now();
        let tickets: Vec<_> = crystals
            .iter()
            .map(|c| pool.submit(c, Property::Density))
            .collect();
        for ticket in tickets {
            pool.wait(ticket, None).unwrap();
        }
        let utilisation = 20.0 / start.elapsed().as_secs_f64();
        println!(
            "64 threads in 8 workers, 1280 calculations of 1 s: {:.1} %",
            100.0 * utilisation
        );
        stop.store(true, Ordering::SeqCst);
    });
}
