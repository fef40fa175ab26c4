<?php
$a = [3, 1, 2];
sort($a);
echo json_encode($a), "\n";
file_put_contents("/work/php", str_repeat("y", 100));
echo filesize("/work/php"), " ", md5_file("/work/php"), "\n";
mkdir("/work/d");
rename("/work/php", "/work/d/php");
echo implode(",", scandir("/work/d")), "\n";
echo preg_replace('/(\w+) (\w+)/', '$2 $1', "world hello"), "\n";
var_dump(@file_get_contents("/secret"));
