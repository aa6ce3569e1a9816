// Package cronjob makes Jobs at the times of a schedule.
//
// It reads CronJobs and Jobs. It creates and deletes the Jobs of a CronJob, and writes CronJob.status; nobody else writes
// that status.
//
// A Job is named after the minute that it is for, so that no minute gets two however often the controller is killed. Of
// several times that were missed only the last is made up for. What runs is read from the Jobs themselves; status.active
// is a report of it.
package cronjob
