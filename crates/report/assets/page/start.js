function start() {
  const content = document.getElementById("content");
  startViewers(content);
  startTables(content);
}
start();
