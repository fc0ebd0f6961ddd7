//! What worker/main.go does, for the crate agents-persistence:
//!
//!     crate-worker DATABASE ADDRESS STATES
//!
//! STATES is a folder of states, SIZE-0.json to SIZE-7.json. The fields of a state are
//! entries of the crate's scratchpad, its place for values of any kind.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::sync::Arc;
use std::time::{Duration, Instant};

use agents_core::persistence::Checkpointer;
use agents_core::state::AgentStateSnapshot;
use agents_persistence::{PostgresCheckpointer, RedisCheckpointer};
use anyhow::{bail, ensure, Context, Result};

const THREADS: usize = 20; // of each caller

struct Sized {
    store: Arc<dyn Checkpointer>,
    size: usize,
    states: Vec<AgentStateSnapshot>,
}

impl Sized {
    async fn new(store: Arc<dyn Checkpointer>, folder: &str, size: usize) -> Result<Arc<Self>> {
        let mut states = Vec::new();
        for i in 0..8 {
            let path = format!("{folder}/{size}-{i}.json");
            let text = std::fs::read(&path).with_context(|| path.clone())?;
            let scratchpad: BTreeMap<String, serde_json::Value> = serde_json::from_slice(&text)?;
            states.push(AgentStateSnapshot { scratchpad, ..Default::default() });
        }
        let sized = Arc::new(Self { store, size, states });
        for caller in 0..8 {
            for i in 0..THREADS {
                sized.call(true, caller, i).await?;
            }
        }
        Ok(sized)
    }

    async fn call(&self, save: bool, caller: usize, i: usize) -> Result<()> {
        let thread = format!("thread-{}-{}-{}", self.size, caller, i % THREADS);
        if save {
            return self.store.save_state(&thread, &self.states[(caller + i) % self.states.len()]).await;
        }
        let state = self.store.load_state(&thread).await?.context("no such thread")?;
        ensure!(state.scratchpad.contains_key("messages"), "another state");
        Ok(())
    }
}

async fn measure(sized: &Arc<Sized>, save: bool, callers: usize, length: Duration) -> Result<(u128, u128)> {
    let began = Instant::now();
    let mut tasks = Vec::new();
    for caller in 0..callers {
        let sized = sized.clone();
        tasks.push(tokio::spawn(async move {
            let mut took = Vec::new();
            while began.elapsed() < length {
                let start = Instant::now();
                sized.call(save, caller, took.len()).await?;
                took.push(start.elapsed().as_nanos());
            }
            anyhow::Ok(took)
        }));
    }
    let mut calls = 0;
    let mut first = Vec::new();
    for task in tasks {
        let took = task.await??;
        calls += took.len() as u128;
        if first.is_empty() {
            first = took;
        }
    }
    if callers == 1 {
        first.sort_unstable();
        return Ok((first[first.len() / 2], calls));
    }
    Ok((began.elapsed().as_nanos() / calls, calls))
}

#[tokio::main]
async fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let [_, database, address, folder] = args.as_slice() else {
        bail!("usage: crate-worker DATABASE ADDRESS STATES");
    };
    let store: Arc<dyn Checkpointer> = match database.as_str() {
        "redis" => Arc::new(RedisCheckpointer::new(address).await?),
        "postgres" => Arc::new(PostgresCheckpointer::builder().url(address).table_name("peers_crate").max_connections(10).build().await?),
        _ => bail!("the crate has nothing for {database}"),
    };
    let mut sizes = BTreeMap::new();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let [operation, size, callers, milliseconds] = words.as_slice() else {
            bail!("{line:?}: OPERATION SIZE CALLERS MILLISECONDS");
        };
        let size: usize = size.parse()?;
        if !sizes.contains_key(&size) {
            sizes.insert(size, Sized::new(store.clone(), folder, size).await?);
        }
        let save = match *operation {
            "save" => true,
            "load" => false,
            _ => bail!("there is no operation {operation:?}"),
        };
        let length = Duration::from_millis(milliseconds.parse()?);
        let (took, calls) = measure(&sizes[&size], save, callers.parse()?, length).await?;
        println!("{took} {calls}");
    }
    Ok(())
}
