//! `LogCursor`: the log lines of a run that were not read yet.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::error::Result;
use crate::raw;
use crate::resources::seen_window::SeenWindow;
use crate::types::{
    Log, LogFilter, LogFilterFlowRunId, LogFilterTimestamp, LogSort, ReadLogsRequest,
};

/// How many lines are remembered, so that each is returned once, whenever it reaches the server.
const REMEMBERED_LINES: usize = 100_000;

/// How much later than newer ones a line may reach the server and still be returned: programs send lines in batches.
const ARRIVAL_DELAY: TimeDelta = TimeDelta::seconds(60);

/// Reads the lines of a run page by page, by their times.
///
/// Of the lines since a time, those that were read before are skipped by their number, so that reading costs nothing
/// when there are none. A line that arrives late moves the others, one of which then is read again: that is how it is
/// noticed.
pub(super) struct LogCursor {
    raw: Arc<raw::Client>,
    run: Uuid,
    since: Option<DateTime<Utc>>,
    seen: SeenWindow,
    largest_page: usize,
}

/// New lines, the oldest first.
pub(super) struct NewLines {
    pub lines: Vec<Log>,
    /// Whether there are no more at the moment, as far as can be told.
    pub is_last: bool,
}

impl LogCursor {
    pub(super) fn new(raw: Arc<raw::Client>, run: Uuid, since: Option<DateTime<Utc>>) -> Self {
        Self {
            raw,
            run,
            since,
            seen: SeenWindow::new(REMEMBERED_LINES),
            largest_page: 1,
        }
    }

    /// The time of the last line but `lines`; `None` if there are fewer.
    pub(super) async fn start_of_tail(&self, lines: u32) -> Result<Option<DateTime<Utc>>> {
        let last_but = i64::from(lines.saturating_sub(1));
        let mut body = self.request(self.since, LogSort::TimestampDesc, last_but);
        body.limit = Some(1);
        let page = self.raw.read_logs(&body).await?.into_inner();
        Ok(page.first().map(|line| line.timestamp))
    }

    pub(super) fn begin_at(&mut self, since: DateTime<Utc>) {
        self.since = Some(since);
    }

    /// Reads the next lines.
    pub(super) async fn read(&mut self) -> Result<NewLines> {
        let since = self.window();
        let known = self.seen.count_since(since);
        let body = self.request(since, LogSort::TimestampAsc, known as i64);
        let page = self.raw.read_logs(&body).await?.into_inner();
        let is_last = page.len() < self.largest_page;
        self.largest_page = self.largest_page.max(page.len());
        let read = page.len();
        let mut lines = self.unseen(page);
        // As many lines have arrived late as were read again.
        if lines.len() < read {
            lines.extend(self.late(since, read - lines.len()).await?);
            lines.sort_by_key(|line| line.timestamp);
        }
        // Only now, so that nothing is lost if a request fails.
        for line in &lines {
            self.seen.insert(line.timestamp, line.id);
        }
        Ok(NewLines { lines, is_last })
    }

    /// Finds this many late lines, from the newest back.
    async fn late(&self, since: Option<DateTime<Utc>>, count: usize) -> Result<Vec<Log>> {
        let (newest, mut late, mut offset) = (self.seen.newest(), Vec::new(), 0);
        while late.len() < count {
            let body = self.request(since, LogSort::TimestampDesc, offset);
            let page = self.raw.read_logs(&body).await?.into_inner();
            if page.is_empty() {
                break;
            }
            offset += page.len() as i64;
            let unseen = self.unseen(page).into_iter();
            // Newer lines are read in their turn.
            late.extend(unseen.filter(|line| Some(line.timestamp) <= newest));
        }
        Ok(late)
    }

    fn unseen(&self, page: Vec<Log>) -> Vec<Log> {
        let is_unseen = |line: &Log| !self.seen.contains(line.timestamp, line.id);
        page.into_iter().filter(is_unseen).collect()
    }

    /// The time since which lines are read: all that were seen since then are known.
    fn window(&self) -> Option<DateTime<Utc>> {
        // A line may be dated ahead, but lines of now are still to come.
        let newest = self.seen.newest().map(|newest| newest.min(Utc::now()));
        let arriving = newest.map(|newest| newest - ARRIVAL_DELAY);
        arriving.max(self.seen.complete_since()).max(self.since)
    }

    fn request(&self, since: Option<DateTime<Utc>>, sort: LogSort, offset: i64) -> ReadLogsRequest {
        let run = LogFilterFlowRunId::new().any_(vec![self.run]);
        let mut filter = LogFilter::new().flow_run_id(run);
        if let Some(since) = since {
            filter = filter.timestamp(LogFilterTimestamp::new().after_(since));
        }
        ReadLogsRequest::new()
            .logs(filter)
            .sort(sort)
            .offset(offset)
    }
}
